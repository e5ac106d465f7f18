"""What long work shows of itself: a line now and then, never one for each step."""

from __future__ import annotations

import io

from perfcli.cli.progress import show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO, moments_s: list[float]) -> str:
    """Tell a step at each of these moments; return what was shown."""
    now_s = 0.0

    def clock() -> float:
        return now_s

    with show_progress(lambda step: f"step {step}", stream, clock) as tell:
        for number, moment_s in enumerate(moments_s):
            now_s = moment_s
            tell(number)
    return stream.getvalue()


def test_a_file_gets_a_plain_line_every_five_seconds() -> None:
    seconds = [float(second) for second in range(17)]
    assert told(io.StringIO(), seconds) == "step 5\nstep 10\nstep 15\n"


def test_work_that_is_soon_done_shows_nothing_in_a_file() -> None:
    assert told(io.StringIO(), [0.0, 1.0, 4.9]) == ""


def test_a_terminal_gets_one_line_that_is_gone_at_the_end() -> None:
    assert told(Terminal(), [0.05, 0.1, 0.15, 0.3]) == "\r\x1b[Kstep 1\r\x1b[Kstep 3\r\x1b[K"


def test_a_line_is_made_only_to_be_shown() -> None:
    described: list[int] = []
    with show_progress(lambda step: str(described.append(step)), io.StringIO(), lambda: 0.0) as tell:
        for step in range(1000):
            tell(step)
    assert described == []
