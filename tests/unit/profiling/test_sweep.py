from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from perfcli.errors import UsageError
from perfcli.profiling.rounds import Call
from perfcli.profiling.sweep import limit_threads, make_batch, run_sweep


class Machine:
    """A clock that moves by what a call takes with the threads of that moment."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.threads = 1
        self.made: list[tuple[int, int]] = []

    def clock(self) -> int:
        return self.now_ns

    @contextmanager
    def limit(self, threads: int) -> Iterator[None]:
        before, self.threads = self.threads, threads
        yield
        self.threads = before

    def call(self, rows: int, interrupt_after: int = 10**9) -> Call:
        def made() -> None:
            if len(self.made) >= interrupt_after:
                raise KeyboardInterrupt
            self.made.append((rows, self.threads))
            self.now_ns += (1_000_000 + rows * 10_000) * self.threads

        return made


def test_batch_holds_the_rows_of_the_payloads_over_and_over() -> None:
    payloads = ({"a": 1}, [{"a": 2}, {"a": 3}])
    assert make_batch(payloads, 5) == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 1}, {"a": 2}]
    assert make_batch(payloads, 1) == [{"a": 1}]


def test_payloads_without_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="no rows"):
        make_batch(([],), 8)


def test_every_setting_is_timed_with_its_own_threads() -> None:
    machine = Machine()
    calls = {rows: machine.call(rows) for rows in (1, 100)}
    sweep = run_sweep(calls, (1, 4), 1.0, limit=machine.limit, clock=machine.clock, seed=1)
    times = [(point.batch, point.threads, point.median_s) for point in sweep.points]
    assert times == [(1, 1, 0.00101), (100, 1, 0.002), (1, 4, 0.00404), (100, 4, 0.008)]
    assert len({point.runs for point in sweep.points}) == 1
    assert 1.0 <= machine.now_ns / 1e9 < 1.1
    assert machine.made[:8] != machine.made[8:16]


def test_three_rounds_are_made_whatever_the_time() -> None:
    machine = Machine()
    (point,) = run_sweep({1: machine.call(1)}, (None,), 0.0, clock=machine.clock).points
    assert (point.runs, point.threads, point.ci_low_s) == (3, None, None)


def test_interruption_keeps_what_was_timed() -> None:
    machine = Machine()
    calls = {rows: machine.call(rows, interrupt_after=9) for rows in (1, 2)}
    sweep = run_sweep(calls, (None,), 60.0, clock=machine.clock)
    assert sweep.partial
    assert sorted(point.runs for point in sweep.points) == [2, 2]


def test_native_thread_pools_are_limited_while_the_block_runs() -> None:
    import numpy as np  # noqa: F401 - brings a thread pool
    from threadpoolctl import threadpool_info

    def counts() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info()]

    before = counts()
    with limit_threads(1):
        assert set(counts()) == {1}
    assert counts() == before
