from __future__ import annotations

import pytest

from perfcli.cli.loading import told_when_interrupted


def test_an_interruption_before_the_run_is_told_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), told_when_interrupted():
        raise KeyboardInterrupt

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Interrupted before anything was measured.\n")
