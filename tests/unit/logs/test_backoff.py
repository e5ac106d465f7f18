from __future__ import annotations

from perfcli.logs.backoff import Backoff


def test_the_wait_doubles_up_to_the_longest() -> None:
    backoff = Backoff(lambda: 1.0, first_s=0.25, longest_s=15.0)
    assert [backoff.delay_s(failures) for failures in range(1, 9)] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


def test_jitter_takes_off_up_to_half() -> None:
    assert Backoff(lambda: 0.0, first_s=1.0).delay_s(1) == 0.5
    assert Backoff(lambda: 0.5, first_s=1.0).delay_s(1) == 0.75


def test_a_store_may_fail_for_ever() -> None:
    assert Backoff(lambda: 1.0, longest_s=15.0).delay_s(100_000) == 15.0
