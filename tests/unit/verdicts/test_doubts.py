from __future__ import annotations

from perfcli.records.capacity import Probe, ProbeOutcome
from perfcli.verdicts.doubts import doubt_probes


def probe(load: float, outcome: ProbeOutcome) -> Probe:
    return Probe(load, outcome, "", 4.0, load, 0.0, 0.02, None, None, 4.0, 1.0, ())


def test_probes_that_agree_leave_no_doubt() -> None:
    assert doubt_probes([probe(50.0, "holds"), probe(100.0, "holds"), probe(200.0, "fails")], "rate") == ()


def test_load_that_held_and_failed_is_named_beside_a_late_generator() -> None:
    tried = [
        probe(50.0, "holds"),
        probe(100.0, "fails"),
        probe(100.0, "holds"),
        probe(200.0, "generator-bound"),
        probe(200.0, "disturbed"),
    ]
    (advice,) = doubt_probes(tried, "rate")
    assert advice.code == "disturbed"
    assert advice.message == (
        "Not every probe can be believed: 100/s both held and failed; "
        "in 2 of 5 the generator was late or the machine too busy."
    )
