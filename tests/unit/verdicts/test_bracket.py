from __future__ import annotations

import pytest

from perfcli.records.capacity import Probe
from perfcli.verdicts.bracket import Bracket


def failed(load: float, throughput_rps: float | None) -> Probe:
    return Probe(load, "fails", "too slow", 4.0, throughput_rps, 0.0, 0.02, None, None, 4.0, 1.0, ())


def bracket(*held: float) -> Bracket:
    return Bracket("rate", 1.0, 0.05, held=list(held))


def test_load_that_failed_while_the_service_kept_up_is_tried_once_more() -> None:
    tried = bracket(100.0)
    tried.fail(failed(200.0, 198.0))
    assert (tried.next_load(), tried.failed, tried.held) == (200.0, [], [100.0])
    tried.hold(200.0)
    assert (tried.next_load(), tried.failed, tried.held) == (400.0, [], [100.0, 200.0])


def test_few_requests_on_their_way_at_the_end_are_no_overload() -> None:
    tried = bracket(1.0)
    tried.fail(failed(2.0, 1.5))
    assert (tried.doubtful, tried.failed) == (2.0, [])


def test_second_failure_refutes_a_load_and_all_above_it() -> None:
    tried = bracket(50.0, 100.0, 104.0)
    tried.fail(failed(100.0, 99.0))
    tried.fail(failed(100.0, 99.0))
    assert (tried.failed, tried.held, tried.doubtful) == ([100.0], [50.0], None)


def test_overload_needs_no_second_failure_and_says_where_the_capacity_is() -> None:
    tried = bracket(100.0)
    tried.fail(failed(200.0, 190.0))
    assert tried.failed == [200.0]
    assert tried.next_load() == 190.0 * 0.985
    tried.hold(190.0 * 0.985)
    assert tried.next_load() == 190.0 * 1.0275
    tried.fail(failed(190.0 * 1.0275, 180.0))
    assert tried.is_settled
    assert tried.next_load() == 190.0 * 0.985


def test_answers_under_overload_are_a_guess_only_once() -> None:
    # The SLO is lost long before the service is overloaded: creeping down in steps of 2 % would take for ever.
    tried = bracket(100.0)
    tried.fail(failed(400.0, 200.0))
    assert tried.next_load() == 197.0
    for _ in range(2):
        tried.fail(failed(197.0, 196.0))
    assert tried.next_load() == pytest.approx((100 * 197) ** 0.5)


def test_failure_without_any_answer_is_overload() -> None:
    tried = bracket()
    tried.fail(failed(10.0, None))
    assert (tried.failed, tried.next_load()) == ([10.0], 5.0)


def test_users_are_doubted_once_too_and_stay_whole() -> None:
    tried = Bracket("users", 1.0, 0.05, held=[4.0])
    tried.fail(failed(8.0, 100.0))
    assert tried.next_load() == 8.0
    tried.fail(failed(8.0, 100.0))
    assert tried.next_load() == 6.0
