from __future__ import annotations

from perfcli.records.capacity import Probe, ProbeOutcome
from perfcli.verdicts.doubts import doubt_probes


def probe(load: float, outcome: ProbeOutcome, littles_ratio: float | None = 1.0) -> Probe:
    return Probe(load, outcome, "", 4.0, load, 0.0, 0.02, None, None, 4.0, littles_ratio, ())


def test_probes_that_agree_leave_no_doubt() -> None:
    assert doubt_probes([probe(50.0, "holds", None), probe(100.0, "holds"), probe(200.0, "fails", 9.0)], "rate") == ()


def test_load_that_held_and_failed_is_named_beside_a_late_generator() -> None:
    tried = [probe(50.0, "holds"), probe(100.0, "fails"), probe(100.0, "holds"), probe(200.0, "generator-bound")]
    (advice,) = doubt_probes(tried, "rate")
    assert advice.code == "disturbed"
    assert advice.message == (
        "Not every probe can be believed: 100/s both held and failed; in 1 of 4 the generator was late."
    )


def test_load_that_holds_against_littles_law_is_named() -> None:
    tried = [probe(2.0, "holds", 0.4), probe(4.0, "holds", 0.5), probe(8.0, "holds", 2.1)]
    (advice,) = doubt_probes(tried, "users")
    assert advice.code == "littles_law"
    assert "0.40 at 2 users, 2.10 at 8 users." in advice.message
