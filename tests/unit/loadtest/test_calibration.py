from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from perfcli.loadtest.calibration import Calibration, calibrate, null_server
from perfcli.loadtest.messages import Endpoint, Message, Second
from perfcli.loadtest.plan import Plan
from perfcli.loadtest.run import calibrate_engine


class Engine:
    """Says what it is told to say, and counts how often it is asked."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self.plans: list[Plan] = []

    def __call__(self, plan: Plan) -> Sequence[Message]:
        self.plans.append(plan)
        return self.messages


@pytest.fixture
def engine(second: Callable[..., Second], endpoint: Callable[..., Endpoint]) -> Engine:
    return Engine(
        [
            second(0, endpoint([0.00005] * 4000), elapsed_s=0.25, cpu_ratio=0.8),
            second(1, endpoint([0.00005] * 2000), elapsed_s=0.1, cpu_ratio=1.0),
        ]
    )


def test_floor_and_ceiling_are_median_and_requests_per_second_of_processor_time(engine: Engine, tmp_path: Path) -> None:
    found = calibrate(engine, Path("predict.py"), tmp_path)

    assert found is not None
    assert found.floor_s == pytest.approx(0.00005, rel=1e-3)
    assert found.ceiling_rps == pytest.approx(6000 / 0.3)


def test_a_machine_is_measured_once(engine: Engine, tmp_path: Path) -> None:
    first = calibrate(engine, Path("predict.py"), tmp_path / "new")
    second_time = calibrate(engine, Path("predict.py"), tmp_path / "new")

    assert first == second_time
    assert len(engine.plans) == 1


def test_the_setting_that_moves_the_cache_moves_the_note(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERFCLI_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    noted = calibrate(engine, Path("predict.py"), tmp_path)

    assert calibrate_engine() == noted


def test_figures_are_kept_for_a_day(engine: Engine, tmp_path: Path) -> None:
    def at(now_s: float, *, anew: bool = False) -> bool:
        found = calibrate(engine, Path("predict.py"), tmp_path, anew=anew, clock=lambda: now_s)
        assert found is not None
        return found.kept

    day_s = 24 * 3600.0
    # Neither older ones nor those of a clock that was set back since.
    assert [at(day_s), at(2 * day_s - 1), at(2 * day_s), at(2 * day_s - 1), at(2 * day_s)] == [
        False, True, False, False, True,
    ]  # fmt: skip
    assert not at(2 * day_s, anew=True)


def test_figures_without_their_age_are_measured_again(engine: Engine, tmp_path: Path) -> None:
    calibrate(engine, Path("predict.py"), tmp_path)
    (note,) = tmp_path.iterdir()
    note.write_text('{"floor_s": 0.5, "ceiling_rps": 10}')

    found = calibrate(engine, Path("predict.py"), tmp_path)
    assert found is not None
    assert found.floor_s == pytest.approx(0.00005, rel=1e-3)


def test_a_damaged_note_is_measured_again(engine: Engine, tmp_path: Path) -> None:
    calibrate(engine, Path("predict.py"), tmp_path)
    (note,) = tmp_path.iterdir()
    note.write_text('{"floor_s": "fast"}')

    assert isinstance(calibrate(engine, Path("predict.py"), tmp_path), Calibration)
    assert len(engine.plans) == 2


def test_an_engine_that_measured_nothing_is_no_calibration(tmp_path: Path) -> None:
    assert calibrate(Engine([]), Path("predict.py"), tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_note_costs_nothing_but_time(engine: Engine, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")

    assert calibrate(engine, Path("predict.py"), in_the_way / "below") is not None


def test_the_null_server_answers_every_request_and_stops() -> None:
    with null_server() as port, socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(3):
            connection.sendall(b"POST / HTTP/1.1\r\n\r\n")
            assert connection.recv(4096).endswith(b"\r\n\r\n{}")

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
