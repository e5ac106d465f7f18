from __future__ import annotations

import pytest
from typer.testing import CliRunner

from perfcli.cli.app import make_app
from perfcli.cli.options import read_duration, read_ratio
from perfcli.errors import UsageError


def test_a_duration_is_read_in_seconds() -> None:
    assert read_duration("--max-time", "1500ms") == 1.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "--max-time must be above 0, not 0."),
        ("0.0ms", "--max-time must be above 0, not 0.0ms."),
        ("-5s", "--max-time: '-5s' is not a duration."),
        ("", "--max-time: '' is not a duration."),
        ("soon", "--max-time: 'soon' is not a duration."),
    ],
)
def test_what_is_no_duration_above_zero_is_refused_under_the_name_of_its_option(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_duration("--max-time", text)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("profile", "--max-time"),
        ("profile --url http://127.0.0.1:9/predict", "--timeout"),
        ("load", "--duration"),
        ("load", "--timeout"),
        ("compare --base a.joblib --new b.joblib p.json", "--max-time"),
        ("capacity --slo p99<1s", "--max-time"),
        ("capacity --slo p99<1s", "--probe-time"),
        ("capacity --slo p99<1s", "--timeout"),
        ("sweep", "--max-time"),
        ("worker", "--connect"),
    ],
)
def test_no_command_measures_for_no_time(command: str, option: str) -> None:
    name, *arguments = command.split()
    with pytest.raises(UsageError, match=f"^{option} must be above 0, not 0s"):
        CliRunner().invoke(make_app([name, "logs"]), [name, *arguments, option, "0s"], catch_exceptions=False)


@pytest.mark.parametrize("command", ["load", "capacity --slo p99<1s"])
@pytest.mark.parametrize("option", ["--url", "--host"])
def test_an_api_that_is_loaded_is_also_named_as_one_that_is_profiled(command: str, option: str) -> None:
    name, *arguments = command.split()
    with pytest.raises(UsageError, match=r"^'ftp://here' is no URL of an API\."):
        CliRunner().invoke(make_app([name, "logs"]), [name, *arguments, option, "ftp://here"], catch_exceptions=False)


def test_a_ratio_is_read_as_one_or_as_a_percentage() -> None:
    assert read_ratio("--min-effect", "0.1") == read_ratio("--min-effect", "10%") == 0.1


@pytest.mark.parametrize("zero", ["0", "0%", "0.0"])
def test_a_ratio_of_zero_is_refused_with_one_that_is_none(zero: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_ratio("--min-effect", zero)
    assert caught.value.message == f"--min-effect must be above 0, not {zero}."
    assert caught.value.hint == "Write it like --min-effect 5%."


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("compare a.json b.json --min-effect 0", "--min-effect must be above 0, not 0."),
        ("compare a.json b.json --min-effect x", "--min-effect: 'x' is not a ratio."),
        ("capacity --slo p99<1s --precision 0%", "--precision must be above 0, not 0%."),
        ("capacity --slo p99<1s --precision x", "--precision: 'x' is not a ratio."),
        ("capacity --slo p99<1s --precision 100%", "--precision must be below 1, not 100%."),
        ("logs tail --slow 0", "--slow must be above 0, not 0."),
        ("logs tail --slow x", "--slow: 'x' is not a duration."),
    ],
)
def test_an_option_that_cannot_be_read_is_named_before_anything_is_opened(command: str, message: str) -> None:
    arguments = command.split()
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(make_app([arguments[0], "report"]), arguments, catch_exceptions=False)
    assert caught.value.message == message
    assert caught.value.hint


@pytest.mark.parametrize(
    "arguments",
    [
        ["profile", ""],
        ["sweep", ""],
        ["load", "--payloads", ""],
        ["profile", "-", "--model", ""],
        ["logs", "show", "--from", ""],
    ],
)
def test_an_empty_name_is_not_taken_for_the_default(arguments: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(make_app([arguments[0], "report"]), arguments, input="{}", catch_exceptions=False)
    assert caught.value.message in (
        "The name of the payload is empty.",
        "'' names no model.",
        "There is no log at an empty address.",
    )


def test_metrics_of_another_server_are_no_part_of_a_run_on_the_embedded_api() -> None:
    with pytest.raises(UsageError, match=r"^--metrics-url is for an API that runs"):
        CliRunner().invoke(make_app(["load", "logs"]), ["load", "--metrics-url", "http://x"], catch_exceptions=False)
