"""A remote target against perfcli's own API: phases here, metrics and functions from there."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
import uvicorn

from perfcli.api.app import create_app
from perfcli.bundled import bundled_path
from perfcli.payloads import read_payloads
from perfcli.settings import Settings
from perfcli.targets.remote import open_remote

REQUESTS = 5


@pytest.fixture
def api() -> Iterator[str]:
    """The API in a thread, every prediction profiled."""
    app = create_app(Settings(enable_performance_monitoring=True, performance_sample_rate=1.0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/predict"
        server.should_exit = True
        thread.join()


def test_the_server_reports_of_exactly_the_requests_that_were_made(api: str) -> None:
    (payload,) = read_payloads(str(bundled_path("sample_payloads/malignant.json")))
    others = open_remote(api, headers=(), timeout_s=30, insecure=False, http_method="POST")
    others.prepare(payload)()
    others.close()
    target = open_remote(api, headers=(), timeout_s=30, insecure=False, http_method="POST")
    call = target.prepare(payload)
    with target.staged() as clock:
        answer = call()
        phases = clock.take()
    assert isinstance(answer, dict)
    for _ in range(REQUESTS - 1):
        call()
    # The target waits half a second for records that are on their way; here it is no matter of time.
    deadline_s = time.monotonic() + 60
    while json.load(urlopen(api.replace("/predict", "/logs"), timeout=60))["total"] < 1 + REQUESTS:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    view = target.server_view()
    target.close()
    assert view is not None
    assert view.records == REQUESTS
    assert view.metrics is not None
    assert 0 < view.metrics.inference_time_s <= view.metrics.latency_s
    assert view.metrics.function_calls is not None
    assert view.functions
    assert view.timings["total"] > 0
    assert set(phases) >= {"connect", "send", "wait"}
