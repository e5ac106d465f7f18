"""The phases of an exchange, by a fake clock and a scripted connection, and once for real."""

from __future__ import annotations

import socket
import ssl
from statistics import median
from threading import Event
from time import perf_counter

import httpcore
import pytest

from perfcli.targets.phases import PhaseClock, TimedBackend, TimedStream
from perfcli.targets.protocol import StageTime
from perfcli.targets.remote import open_remote

MILLISECOND = 1_000_000
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: application/json\r\n\r\n[1]"


class FakeClock:
    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def pass_time(self, milliseconds: int) -> None:
        self.now_ns += milliseconds * MILLISECOND


class FakeStream(httpcore.NetworkStream):
    """A connection on which every operation takes a known time."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.read_ms = 20

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.clock.pass_time(2)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.clock.pass_time(self.read_ms)
        return b"x"

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self.clock.pass_time(7)
        return self


@pytest.fixture
def time() -> FakeClock:
    return FakeClock()


@pytest.fixture
def phases(time: FakeClock) -> PhaseClock:
    clock = PhaseClock(time)
    clock.is_running = True
    return clock


def test_an_exchange_is_split_at_the_last_write_and_the_first_read(time: FakeClock, phases: PhaseClock) -> None:
    stream = TimedStream(FakeStream(time), phases)
    for _ in range(2):
        stream.write(b"head")
        time.pass_time(1)  # the client's own work between two writes is no phase
        stream.write(b"body")
        stream.write(b"")
        time.pass_time(1)  # but after the last one the server is at work already
        stream.read(1)
        stream.read(1)
        time.pass_time(3)
        stream.read(1)
    assert phases.take() == {
        "send": StageTime(0.008, 2),
        "wait": StageTime(0.046, 2),
        "receive": StageTime(0.086, 2),
    }
    assert phases.take() == {}


def test_an_answer_in_one_piece_has_nothing_to_receive(time: FakeClock, phases: PhaseClock) -> None:
    stream = TimedStream(FakeStream(time), phases)
    stream.write(b"all")
    stream.read(1)
    assert phases.take() == {"send": StageTime(0.002, 1), "wait": StageTime(0.020, 1)}


def test_the_handshake_is_a_phase_and_the_stream_goes_on_being_timed(time: FakeClock, phases: PhaseClock) -> None:
    stream = TimedStream(FakeStream(time), phases).start_tls(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    stream.write(b"all")
    assert phases.take() == {"tls": StageTime(0.007, 1), "send": StageTime(0.002, 1)}


def test_nothing_is_recorded_unless_it_runs(time: FakeClock, phases: PhaseClock) -> None:
    phases.is_running = False
    stream = TimedStream(FakeStream(time), phases)
    stream.write(b"all")
    stream.read(1)
    assert phases.take() == {}


def test_the_name_look_up_is_apart_from_the_connection(phases: PhaseClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        backend = TimedBackend(phases)
        backend.connect_tcp("localhost", port).close()
        assert {phase: time.calls for phase, time in phases.take().items()} == {"dns": 1, "connect": 1}
        backend.connect_tcp("127.0.0.1", port).close()
        assert {phase: time.calls for phase, time in phases.take().items()} == {"connect": 1}


def test_the_next_address_is_tried_when_one_refuses(phases: PhaseClock, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as listener:
        port = listener.getsockname()[1]
        found = [(0, 0, 0, "", (address, port)) for address in ("127.0.0.3", "127.0.0.2", "127.0.0.2")]
        monkeypatch.setattr(socket, "getaddrinfo", _answering(socket.getaddrinfo, "two.example", found))
        stream = TimedBackend(phases).connect_tcp("two.example", port)
        assert stream.get_extra_info("server_addr") == ("127.0.0.2", port)
        stream.close()


def _answering(original, name: str, found: list):
    return lambda host, *rest, **options: found if host == name else original(host, *rest, **options)


def test_a_cold_exchange_connects_and_a_warm_one_does_not(serve) -> None:
    server = serve([ANSWER[:-3], ANSWER[-3:]])
    target = open_remote(
        server.url.replace("127.0.0.1", "localhost"), headers=(), timeout_s=5, insecure=False, http_method="POST"
    )
    call = target.prepare({"a": 1})
    with target.staged() as clock:
        call()
        cold = clock.take()
        call()
        warm = clock.take()
    call()
    assert [phase for phase in cold if phase != "receive"] == ["dns", "connect", "send", "wait"]
    assert [phase for phase in warm if phase != "receive"] == ["send", "wait"]
    assert all(time.self_s > 0 and time.calls == 1 for time in (*cold.values(), *warm.values()))
    with target.staged() as clock:
        assert clock.take() == {}
    target.close()


def test_the_wait_is_the_time_the_server_takes(serve) -> None:
    served_s: list[float] = []

    def answer_late(_: object) -> bytes:
        started = perf_counter()
        # Waits without holding the interpreter, which the client in the same process needs to look at the clock.
        Event().wait(0.02)
        served_s.append(perf_counter() - started)
        return ANSWER

    target = open_remote(serve(answer_late).url, headers=(), timeout_s=5, insecure=False, http_method="POST")
    call = target.prepare({"a": 1})
    ratios: list[float] = []
    with target.staged() as clock:
        for _ in range(200):
            started = perf_counter()
            call()
            whole_s = perf_counter() - started
            wait_s = clock.take()["wait"].self_s
            assert wait_s <= whole_s
            # A busy machine wakes either side up late, which is then a part of the wait.
            if whole_s < 1.2 * served_s[-1]:
                ratios.append(wait_s / served_s[-1])
            if len(ratios) == 5:
                break
    target.close()
    assert len(ratios) == 5
    assert median(ratios) > 0.9
