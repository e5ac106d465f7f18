"""The live view of a load: what it shows at which size, and how it treats the terminal."""

from __future__ import annotations

import io
import re
import time
from collections import Counter
from dataclasses import replace

import pytest

from perfcli.records.latency_counts import count_latencies
from perfcli.records.load import LoadResult, LoadSecond
from perfcli.reporters.histogram import histogram_rows
from perfcli.reporters.load_live import show_load_progress
from perfcli.reporters.load_screen import LoadScreen

MS = 1_000_000
SPREAD = {4 * MS: 50, 5 * MS: 100, 6 * MS: 25, 30 * MS: 1}
OLD_SCREEN, NEW_SCREEN = "\x1b[?1049l", "\x1b[?1049h"


class Terminal(io.StringIO):
    """A terminal that keeps what it shows."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True


@pytest.fixture
def seconds(load_result: LoadResult) -> list[LoadSecond]:
    """Return 90 seconds with latencies and a failure in every third."""
    counts = count_latencies(SPREAD)
    return [
        replace(
            load_result.seconds[index % 20],
            start_s=float(index),
            elapsed_s=1.0,
            requests=100 + index,
            failures=int(index % 3 == 0),
            failure_kinds={"http_5xx": 1} if index % 3 == 0 else {},
            latency_counts=counts,
        )
        for index in range(90)
    ]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": "80", "LINES": "24", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)


def drawn(seconds: list[LoadSecond], width: int, height: int) -> list[str]:
    screen = LoadScreen("http://127.0.0.1:8000/predict  60 arrivals per second", "utf-8")
    for second in seconds:
        screen.add(second)
    return ["".join(words for words, _ in line) for line in screen.lines(width, height)]


def test_it_says_what_is_waited_for_until_the_first_second(seconds: list[LoadSecond]) -> None:
    screen = LoadScreen("what", "utf-8", "Waiting for 2 workers.")
    assert ("Waiting for 2 workers.", "yellow") in [line[0] for line in screen.lines(80, 24)]
    screen.add(seconds[0])
    assert "Waiting" not in str(list(screen.lines(80, 24)))


@pytest.mark.parametrize(("width", "height"), [(40, 10), (80, 24), (100, 30), (160, 50), (300, 100)])
def test_the_screen_fits_the_terminal(seconds: list[LoadSecond], width: int, height: int) -> None:
    lines = drawn(seconds, width, height)
    assert len(lines) <= max(height, 14)
    assert max(map(len, lines)) <= width


def test_it_shows_the_newest_figures_and_the_course_of_the_last_minute(seconds: list[LoadSecond]) -> None:
    lines = drawn(seconds, 100, 40)
    assert lines[0].endswith("  90.0 s")
    (throughput,) = [line for line in lines if line.startswith("throughput")]
    name, value, course = throughput.split()
    assert (name, value) == ("throughput", "189/s")
    assert len(course) == 60
    (cpu,) = [line for line in lines if line.startswith("server CPU")]
    assert cpu.split()[2:4] == [f"{seconds[-1].server_cpu_ratio * 100:.1f}", "%"]  # type: ignore[operator]
    assert any(line.startswith("latency, last minute") and line.endswith("failures so far") for line in lines)
    assert any(line.endswith("http_5xx 30") for line in lines)


def test_what_was_never_measured_is_left_out(seconds: list[LoadSecond]) -> None:
    unseen = [replace(second, server_cpu_ratio=None, server_rss_bytes=None, scheduled=None) for second in seconds]
    text = "\n".join(drawn(unseen, 80, 40))
    assert "server" not in text
    assert "arrivals due" not in text
    assert "server CPU" in "\n".join(drawn([*unseen[:-1], seconds[0]], 80, 40))


def test_a_last_second_cut_short_is_no_point_of_a_line(seconds: list[LoadSecond]) -> None:
    cut = replace(seconds[3], elapsed_s=0.02, requests=90, failure_kinds={"reset": 2})
    lines, before = drawn([*seconds[:3], cut], 80, 24), drawn(seconds[:3], 80, 24)
    assert lines[:12] == before[:12]
    assert any(line.endswith("reset 2") for line in lines)
    assert not any(line.endswith("reset 2") for line in before)


def test_a_low_terminal_keeps_the_figures_and_leaves_the_histogram_out(seconds: list[LoadSecond]) -> None:
    text = "\n".join(drawn(seconds, 80, 16))
    assert "throughput" in text
    assert "latency, last" not in text


def test_bars_are_as_high_as_the_number_of_latencies_in_their_class() -> None:
    counts = count_latencies({4 * 2**20: 8, 5 * 2**20: 4, 6 * 2**20: 1, 4 * 2**22: 2})
    assert counts is not None
    assert histogram_rows(counts, 9, 2) == ["█", "██▂     ▄", "4.19 ms 21.0 ms"]
    assert histogram_rows(counts, 18, 1) == ["██▄▄▁▁          ▂▂", "4.19 ms    21.0 ms"]


def test_bars_that_do_not_fit_are_joined_and_none_is_lost() -> None:
    counts = count_latencies({2**power: 1 for power in range(20, 30)})
    assert counts is not None
    assert histogram_rows(counts, 10, 1) == ["██████████", "1.05 ms 1.07 s"]


def test_a_terminal_gets_its_old_screen_back_and_never_a_cleared_one(seconds: list[LoadSecond]) -> None:
    terminal = Terminal()
    with show_load_progress(terminal, "what") as tell:
        for second in seconds[:3]:
            tell(second)
    text = terminal.getvalue()
    assert text.index(NEW_SCREEN) < text.index("throughput") < text.index(OLD_SCREEN)
    # Every frame is written over the one before, from the upper left corner: what is cleared first flickers.
    assert text.count("\x1b[H") >= 4
    assert not re.search(r"\x1b\[[0-3]?J", text)


def test_the_terminals_old_screen_comes_back_after_an_error(seconds: list[LoadSecond]) -> None:
    terminal = Terminal()
    broken = replace(seconds[1], elapsed_s=0.0)
    with pytest.raises(ZeroDivisionError), show_load_progress(terminal, "what") as tell:
        tell(broken)
    assert terminal.getvalue().rindex(OLD_SCREEN) > terminal.getvalue().index("starting")
    assert "\x1b[?25h" in terminal.getvalue()


def test_a_terminal_without_block_characters_gets_ascii(seconds: list[LoadSecond]) -> None:
    terminal = Terminal("ascii")
    with show_load_progress(terminal, "what") as tell:
        tell(seconds[0])
        tell(seconds[1])
    assert terminal.getvalue().isascii()
    assert "##" in terminal.getvalue()


def test_no_color_is_honoured(seconds: list[LoadSecond], monkeypatch: pytest.MonkeyPatch) -> None:
    def colours() -> set[str]:
        terminal = Terminal()
        with show_load_progress(terminal, "what") as tell:
            tell(seconds[0])
        return set(re.findall(r"\x1b\[(?:1;)?3\dm", terminal.getvalue()))

    assert colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert colours() == set()


def test_a_dumb_terminal_gets_plain_lines(seconds: list[LoadSecond], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    with show_load_progress(terminal, "what") as tell:
        for second in seconds[:6]:
            tell(second)
    assert "\x1b" not in terminal.getvalue()
    assert len(terminal.getvalue().splitlines()) == 1


def test_drawing_a_second_takes_a_small_part_of_the_two_hundredths_of_a_core_it_may(
    seconds: list[LoadSecond], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPU time rather than time, and the best of several attempts: other work on the machine slows both down."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("LINES", "50")
    spent_s = []
    with show_load_progress(Terminal(), "what") as tell:
        for _ in range(5):
            started_s = time.process_time()
            for second in seconds[:30]:
                tell(second)
            spent_s.append((time.process_time() - started_s) / 30)
    assert min(spent_s) < 0.02


def test_the_failures_of_the_whole_run_are_counted_beyond_the_last_minute(seconds: list[LoadSecond]) -> None:
    expected: Counter[str] = Counter()
    for second in seconds:
        expected.update(second.failure_kinds)
    assert expected == {"http_5xx": 30}
    many = [replace(seconds[0], failure_kinds={f"kind_{number}": 100 - number for number in range(30)})]
    lines = drawn(many, 80, 24)
    assert [line for line in lines if "kind_0 100" in line]
    assert [line for line in lines if line.endswith("more)")]
