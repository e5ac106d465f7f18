from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from perfcli.errors import UsageError
from perfcli.payloads import Payload
from perfcli.profiling.rounds import Call
from perfcli.profiling.sweep import limit_threads, make_batches, run_sweep


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


def test_batches_of_a_size_hold_the_rows_of_the_payloads_equally_often() -> None:
    payloads = ({"a": 1}, [{"a": 2}, {"a": 3}, {"a": 4}])
    one, two, three, four = ({"a": number} for number in (1, 2, 3, 4))
    assert make_batches(payloads, 1) == [[one], [two], [three], [four]]
    assert make_batches(payloads, 6) == [[one, two, three, four, one, two], [three, four, one, two, three, four]]
    assert make_batches(payloads, 8) == [[one, two, three, four] * 2]


@pytest.mark.parametrize(("size", "batches"), [(1, 32), (10, 16), (32, 1), (512, 1)])
def test_batches_of_every_size_hold_the_same_rows_of_many(size: int, batches: int) -> None:
    made = make_batches([{"a": number} for number in range(100)], size)
    counts = Counter(row["a"] for batch in made for row in batch)
    assert (len(made), {len(batch) for batch in made}) == (batches, {size})
    assert set(counts) == {number * 100 // 32 for number in range(32)}
    assert len(set(counts.values())) == 1


def test_payloads_without_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="no rows"):
        make_batches(([],), 8)


def test_rows_that_differ_in_cost_cost_as_much_in_batches_of_every_size() -> None:
    machine = Machine()
    payloads = [{"ms": 10}, *[{"ms": 1}] * 7]

    def prepare(batch: Payload) -> Call:
        def made() -> None:
            machine.now_ns += 1_000_000 * sum(row["ms"] for row in batch)

        return made

    calls = {size: [prepare(batch) for batch in make_batches(payloads, size)] for size in (1, 3, 8, 12)}
    points = run_sweep(calls, (None,), 5.0, clock=machine.clock).points
    assert [point.row_s for point in points] == pytest.approx([0.017 / 8] * 4)
    assert [(point.ci_low_s, point.ci_high_s) for point in points] == [
        (point.median_s, point.median_s) for point in points
    ]
    rounds = points[2].runs
    assert rounds > 5
    assert [point.runs for point in points] == [8 * rounds, 8 * rounds, rounds, 2 * rounds]


def test_every_setting_is_timed_with_its_own_threads() -> None:
    machine = Machine()
    calls = {rows: [machine.call(rows)] for rows in (1, 100)}
    sweep = run_sweep(calls, (1, 4), 1.0, limit=machine.limit, clock=machine.clock, seed=1)
    times = [(point.batch, point.threads, point.median_s) for point in sweep.points]
    assert times == [(1, 1, 0.00101), (100, 1, 0.002), (1, 4, 0.00404), (100, 4, 0.008)]
    assert len({point.runs for point in sweep.points}) == 1
    assert 1.0 <= machine.now_ns / 1e9 < 1.1
    assert machine.made[:8] != machine.made[8:16]


def test_three_rounds_are_made_whatever_the_time() -> None:
    machine = Machine()
    (point,) = run_sweep({1: [machine.call(1)]}, (None,), 0.0, clock=machine.clock).points
    assert (point.runs, point.threads, point.ci_low_s) == (3, None, None)


def test_interruption_keeps_what_was_timed() -> None:
    machine = Machine()
    calls = {rows: [machine.call(rows, interrupt_after=9)] for rows in (1, 2)}
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
