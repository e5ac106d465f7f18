"""A store hangs, dies, comes back and is full while predictions are asked for: all are answered, and all are logged."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import redis

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Server, Store

_CLIENTS = 4
_PHASE = 500
_INSTANT_MODEL = """
class Model:
    def predict(self, rows):
        return [0 for _ in rows]

model = Model()
"""


def _statuses(api: Server, first: int) -> Counter[int]:
    """Make the requests of one phase; count their statuses."""

    def work(client_number: int) -> list[int]:
        client = api.client()
        numbers = range(first + client_number, first + _PHASE, _CLIENTS)
        answers = [
            client.request("POST", "/predict", {"x": 1.0}, {"X-Request-ID": f"outage-{number}"}) for number in numbers
        ]
        client.close()
        return [answer.status for answer in answers]

    with ThreadPoolExecutor(_CLIENTS) as clients:
        return Counter(status for statuses in clients.map(work, range(_CLIENTS)) for status in statuses)


def test_no_request_fails_and_no_record_is_lost_while_a_store_hangs_dies_and_is_full(
    start_api: Callable[..., Server], start_store: Callable[[], Store], tmp_path: Path
) -> None:
    (tmp_path / "instant.py").write_text(_INSTANT_MODEL)
    store = start_store()
    api = start_api(
        PYTHONPATH=str(tmp_path),
        MODEL_PATH="instant:model",
        PERFORMANCE_SAMPLE_RATE="0",
        LOGGING_HANDLER="redis",
        REDIS_URL=f"redis://127.0.0.1:{store.port}/0",
        REDIS_LOGS_MAX_SIZE="4000",
    )
    client = redis.Redis(port=store.port)

    statuses = _statuses(api, 0)
    os.kill(store.pid, signal.SIGSTOP)
    statuses += _statuses(api, _PHASE)
    os.kill(store.pid, signal.SIGKILL)
    statuses += _statuses(api, 2 * _PHASE)
    start_store()
    client.config_set("maxmemory", 1)
    statuses += _statuses(api, 3 * _PHASE)
    client.config_set("maxmemory", 0)
    assert statuses == {200: 4 * _PHASE}

    def fate() -> dict[str, int]:
        fates: dict[str, int] = api.get("/performance").json()["delivery"]["sinks"]["redis"]
        return fates

    def stored_lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in client.lrange("api_logs", 0, -1)]

    api.wait_until(
        lambda: fate()["dropped"] + sum("performance_metrics" in line for line in stored_lines()) >= 4 * _PHASE
    )
    lines = stored_lines()
    client.close()
    stored = Counter(line["transaction_id"] for line in lines if "performance_metrics" in line)
    assert stored == {f"outage-{number}": 1 for number in range(4 * _PHASE)}
    assert fate()["dropped"] == 0
    # Beside the records, the log itself says that the store is back.
    others = [line["message"] for line in lines if "performance_metrics" not in line]
    assert others
    assert all(message.startswith("A store takes log records again") for message in others)
