"""Which records of a log are shown as slow or failed, and where colours are shown at all."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

import pytest

from perfcli.logs.entry import Record
from perfcli.logs.slowness import FAILED, LEAST, SLOW, WINDOW, Slowness, shows_colours


def prediction(inference_ms: float, **metrics: object) -> Record:
    document = {
        "timestamp": "2026-11-22T10:00:00.000000Z",
        "event.id": "e",
        "performance_metrics": {"inference_time_ms": inference_ms, **metrics},
    }
    return Record.from_line(json.dumps(document).encode() + b"\n")


def colours(slowness: Slowness, durations_ms: Iterable[float]) -> list[str | None]:
    return [slowness.colour(prediction(duration_ms)) for duration_ms in durations_ms]


def test_a_prediction_beyond_the_95th_percentile_of_those_before_it_is_slow():
    slowness = Slowness()
    slowness.remember(prediction(duration) for duration in range(1, 101))
    # The 95th percentile of 1 to 100 is 95; each prediction joins those that the next is compared with.
    assert colours(slowness, [95, 95.1]) == [None, SLOW]


def test_nothing_is_slow_before_twenty_predictions():
    assert set(colours(Slowness(), [*[1] * (LEAST - 1), 1000])) == {None}
    assert colours(Slowness(), [*[1] * LEAST, 1000])[-1] == SLOW


def test_what_is_usual_moves_with_the_last_predictions():
    slowness = Slowness()
    assert colours(slowness, [1.0] * WINDOW)[-1] is None
    slow = colours(slowness, [10.0] * WINDOW)
    assert slow[0] == SLOW
    assert slow[-1] is None


def test_a_limit_of_the_readers_own_holds_from_the_first_on():
    assert colours(Slowness(0.050), [50, 50.001, 49]) == [None, SLOW, None]


def test_a_profiled_prediction_counts_without_the_profiler():
    slowness = Slowness(0.050)
    assert slowness.colour(prediction(80, corrected_time_ms=40)) is None
    assert slowness.colour(prediction(40, corrected_time_ms=None)) is None
    assert slowness.colour(prediction(80, corrected_time_ms=None)) == SLOW


def test_a_failed_prediction_has_a_colour_of_its_own():
    assert Slowness(0.050).colour(prediction(1, error="ValueError")) == FAILED


def test_a_record_of_no_prediction_has_no_colour():
    record = Record.from_line(b'{"timestamp": "2026-11-22T10:00:00Z", "event.id": "e", "message": "started"}\n')
    assert Slowness(0.0).colour(record) is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "expected"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(stream, environment, expected, monkeypatch):
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    assert shows_colours(stream) is expected
