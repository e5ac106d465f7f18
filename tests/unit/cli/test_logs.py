from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perfcli.cli.logs import logs
from perfcli.errors import UsageError

LEVELS = ["INFO", "WARNING"]


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Ten predictions a second apart, of 10 ms, 20 ms... every second one a warning; a line of the server."""
    lines = ["INFO:     Started server process [17]"]
    for number in range(1, 11):
        metrics = {
            "inference_time_ms": 10.0 * number,
            "cpu_time_ms": 5.0,
            "memory_mb": 128.0,
            "memory_delta_mb": 0.0,
            "function_calls": None,
            "latency_ms": 1000.0,
            "top_functions": None,
            "profiler_overhead_ms": 0.0,
        }
        document = {
            "timestamp": f"2026-11-22T10:00:{number:02d}.000000Z",
            "level": LEVELS[number % 2],
            "transaction_id": f"t{number}",
            "event.id": f"e{number}",
            "performance_metrics": metrics,
        }
        lines.append(json.dumps(document))
    path = tmp_path / "api.log"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def run(*arguments: str, stdin: str | None = None) -> str:
    result = CliRunner().invoke(logs, list(arguments), input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_show_prints_the_newest_records_the_last_one_last(log: str) -> None:
    assert run("show", "--from", log, "-n", "2").splitlines() == [
        "2026-11-22T10:00:09.000Z  WARNING  t9  inference 90.0 ms, CPU 5.00 ms, latency 1.00 s, RSS 128 MiB",
        "2026-11-22T10:00:10.000Z  INFO     t10  inference 100 ms, CPU 5.00 ms, latency 1.00 s, RSS 128 MiB",
    ]


@pytest.mark.parametrize("options", [["--request-id", "nobody"], ["--request-id", "nobody", "--slowest", "1"]])
def test_show_says_on_stderr_that_nothing_matches(log: str, options: list[str]) -> None:
    result = CliRunner().invoke(logs, ["show", "--from", log, *options], catch_exceptions=False)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No record matches.\n")


def test_lines_of_a_log_that_cannot_be_read_are_counted_on_stderr(log: str) -> None:
    with Path(log).open("a") as stream:
        stream.write('{"timestamp": "2026-\n{"timestamp": 1}\n')
    result = CliRunner().invoke(logs, ["show", "--from", log, "-n", "1"], catch_exceptions=False)
    assert result.stdout.count("\n") == 1
    assert result.stderr == f"{log}: 2 broken lines were passed over.\n"


def test_show_slowest_prints_the_slowest_first(log: str) -> None:
    lines = run("show", "--from", log, "--slowest", "3").splitlines()
    assert [line.split()[2] for line in lines] == ["t10", "t9", "t8"]


def test_show_json_prints_one_object_with_the_records_as_they_are(log: str) -> None:
    document = json.loads(run("show", "--from", log, "--level", "warning", "--json"))
    assert document["schema"] == "perfcli/logs/1"
    assert [record["transaction_id"] for record in document["records"]] == ["t1", "t3", "t5", "t7", "t9"]
    assert document["records"][0]["performance_metrics"]["inference_time_ms"] == 10.0


def test_show_finds_one_request(log: str) -> None:
    assert run("show", "--from", log, "--request-id", "t4").count("\n") == 1


def test_since_takes_a_moment(log: str) -> None:
    assert run("show", "--from", log, "--since", "2026-11-22T10:00:08").count("\n") == 3


def test_tail_reads_stdin_and_prints_json_lines(log: str) -> None:
    lines = run("tail", "--from", "-", "-n", "2", "--json", stdin=Path(log).read_text()).splitlines()
    assert [json.loads(line)["transaction_id"] for line in lines] == ["t9", "t10"]


def test_summary_json_holds_the_true_numbers(log: str) -> None:
    document = json.loads(run("summary", "--from", log, "--json"))
    assert document["schema"] == "perfcli/log-summary/1"
    assert document["predictions"] == 10
    assert document["elapsed_s"] == 10.0
    assert document["throughput_rps"] == 1.0
    assert document["inference_time_ms"] == {
        "samples": 10,
        "mean": 55.0,
        "p50": 50.0,
        "p90": None,
        "p95": None,
        "p99": None,
        "max": 100.0,
    }


def test_summary_prints_tables(log: str) -> None:
    text = run("summary", "--from", log)
    assert text.startswith("10 predictions in 10.0 s, 1.00/s, 0 with an error, 0 profiled\n")
    (row,) = [line for line in text.splitlines() if line.lstrip().startswith("inference")]
    assert row.split() == ["inference", "10", "55.0", "ms", "50.0", "ms", "-", "-", "-", "100", "ms"]


def test_a_place_that_does_not_exist_is_an_error_for_the_user() -> None:
    with pytest.raises(UsageError, match="no log at nowhere"):
        run("show", "--from", "nowhere")


def test_tail_colours_slow_predictions_where_there_are_colours(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = run("tail", "--from", log, "--slow", "80ms", "-n", "3").splitlines()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = CliRunner().invoke(logs, ["tail", "--from", log, "--slow", "80ms", "-n", "3"])
    eighth, ninth, tenth = result.stdout.splitlines()
    assert (eighth, ninth, tenth) == (plain[0], f"\x1b[33m{plain[1]}\x1b[0m", f"\x1b[33m{plain[2]}\x1b[0m")
    monkeypatch.setenv("NO_COLOR", "1")
    result = CliRunner().invoke(logs, ["tail", "--from", log, "--slow", "80ms", "-n", "3"])
    assert result.stdout.splitlines() == plain


def test_tail_compares_the_first_it_shows_with_those_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def line(second: int, duration_ms: float) -> str:
        moment = f"2026-11-22T10:00:{second:02d}.000000Z"
        return json.dumps(
            {"timestamp": moment, "event.id": str(second), "performance_metrics": {"inference_time_ms": duration_ms}}
        )

    path = tmp_path / "api.log"
    path.write_text("\n".join([*(line(second, 5.0) for second in range(30)), line(31, 9.0), line(32, 5.0)]) + "\n")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    result = CliRunner().invoke(logs, ["tail", "--from", str(path), "-n", "2"])
    assert ["\x1b[33m" in shown for shown in result.stdout.splitlines()] == [True, False]


def test_show_takes_one_number_of_records(log: str) -> None:
    with pytest.raises(UsageError, match="both say how many"):
        run("show", "--from", log, "--slowest", "3", "-n", "1")


@pytest.mark.parametrize("command", ["show", "tail", "summary"])
def test_reader_that_goes_away_is_no_error(log: str, command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "perfcli", "logs", command, "--from", log],
            stdout=closed, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
def test_output_that_cannot_be_written_is_a_failed_delivery(log: str) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "perfcli", "logs", "show", "--from", log],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (5, "Error: Stdout cannot be written: No space left on device.\n")
