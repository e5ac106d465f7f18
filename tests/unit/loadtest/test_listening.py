"""What is noted of the server while the engine speaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psutil
import pytest

from perfcli.loadtest.messages import End, Endpoint, Hello, Message, Second
from perfcli.loadtest.planning import LoadPlan
from perfcli.loadtest.recording import Recording
from perfcli.loadtest.run import _listen
from perfcli.loadtest.watch import Sample, ServerWatch, Watch
from perfcli.records.environment import Environment


class IdleThenBusyServer(ServerWatch):
    """Uses as much processor time as it is told to."""

    def __init__(self) -> None:
        self.now_s = self.busy_s = 0.0
        super().__init__([], clock=lambda: self.now_s)

    def pass_time(self, elapsed_s: float, busy_s: float) -> None:
        self.now_s += elapsed_s
        self.busy_s += busy_s

    def _read_cpu(self) -> dict[psutil.Process, float]:
        return {psutil.Process(): self.busy_s}


def test_the_time_in_which_the_engine_starts_is_none_of_the_first_second(
    make_plan: Callable[..., LoadPlan],
    second: Callable[..., Second],
    endpoint: Callable[..., Endpoint],
    ended: Callable[..., End],
) -> None:
    server = IdleThenBusyServer()

    class FakeEngine:
        def messages(self) -> Iterator[Message]:
            server.pass_time(3.0, 0.0)
            yield Hello(1, 1_700_000_000.0)
            server.pass_time(1.0, 0.8)
            yield second(0, endpoint([0.004] * 100))
            yield ended(1.0)

    recording = Recording(make_plan(warm_up="none"), Environment("0", "3", "Linux", None, 1, 1, None), None)

    _listen(FakeEngine(), recording, Watch(server), None, None)

    found = recording.result().server
    assert found is not None
    assert found.cpu_ratio == pytest.approx(0.8)


def test_the_servers_count_is_looked_up_by_the_paths_sent_and_not_by_their_names(
    make_plan: Callable[..., LoadPlan],
    second: Callable[..., Second],
    endpoint: Callable[..., Endpoint],
    ended: Callable[..., End],
) -> None:
    recording = Recording(make_plan(), Environment("0", "3", "Linux", None, 1, 1, None), None)
    recording.add(second(0, endpoint([0.004], name="infer")), Sample(None, None))
    recording.ending.end = ended(1.0, paths=("/v2/infer",))

    assert recording.paths == {"/predict", "infer", "/v2/infer"}
