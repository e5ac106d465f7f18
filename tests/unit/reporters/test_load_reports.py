from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from perfcli.records.environment import Environment
from perfcli.records.load import (
    Arrivals,
    CountCheck,
    EndpointResult,
    ErrorCount,
    GeneratorReport,
    LoadDescription,
    LoadedServer,
    LoadResult,
    LoadSecond,
    Quantiles,
    Window,
)
from perfcli.records.profile import Advice
from perfcli.reporters import REPORTERS, View
from perfcli.reporters.load_live import describe_second, show_load_progress
from perfcli.reporters.load_table import load_tables
from perfcli.reporters.sparkline import sparkline

NOTHING = Quantiles(None, None, None, None, None, None, None)
LATENCY = Quantiles(0.0042, 0.0051, 0.0063, 0.0187, None, 0.0412, 0.0044)
SERVICE = Quantiles(0.0040, 0.0049, 0.0060, 0.0180, None, 0.0400, 0.0041)
FAILED = Quantiles(0.0009, None, None, None, None, 0.0011, 0.0010)


def second(index: int, requests: int = 100) -> LoadSecond:
    return LoadSecond(
        start_s=float(index),
        elapsed_s=1.0,
        measured=True,
        requests=requests,
        failures=3,
        latency=LATENCY,
        in_flight=7,
        users=10,
        scheduled=requests,
        lag_p99_s=0.00012,
        generator_cpu_ratio=0.21,
        generator_rss_bytes=50 * 2**20,
        machine_cpu_ratio=0.5,
        server_cpu_ratio=0.93,
        server_rss_bytes=120 * 2**20,
        server_threads=9,
    )


@pytest.fixture
def result() -> LoadResult:
    predict = EndpointResult(900, 30, 10.0, LATENCY, SERVICE, FAILED, "")
    rows = EndpointResult(100, 0, 10.0, LATENCY, SERVICE, NOTHING, "")
    return LoadResult(
        description=LoadDescription(
            "http://127.0.0.1:8000/predict", "mixed.py", 3, 1, "d", None, 100.0, "poisson", None, 10.0, None, 0
        ),
        environment=Environment("0.1.0", "3.11.7", "Linux", None, 2, 2**30, None),
        started_at="2026-01-01T00:00:00+00:00",
        loop="open",
        window=Window(10.0, 2.0, True),
        total=EndpointResult(1000, 30, 10.0, LATENCY, SERVICE, FAILED, ""),
        endpoints={"/rows|all": rows, "/predict": predict},
        arrivals=Arrivals(1210, 1200, 4, 10, Quantiles(0.0001, 0.0001, 0.0001, 0.0002, None, 0.003, 0.0001)),
        errors=(ErrorCount("http_5xx", 30, "status 503: [bold]overloaded[/bold]"),),
        generator=GeneratorReport("trustworthy", (), 0.21, 0.000044, 17_000.0, 2),
        server=LoadedServer(
            2, 0.93, 0.5, 120 * 2**20, 9, {"predict": 0.0031}, CountCheck("requests_total", 1200, 1200)
        ),
        diagnosis="The server kept up: it used 93 % of a core.",
        seconds=tuple(second(index, 50 * (1 + index % 2)) for index in range(12)),
        warnings=(Advice("few_samples", "Too few successes.", "Let it run longer."),),
        partial=False,
    )


def text(result: LoadResult) -> str:
    stream = io.StringIO()
    REPORTERS[".txt"].write(result, stream)
    return stream.getvalue()


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("  ", "\t").split("\t") if cell.strip()]


def test_the_table_has_a_row_per_endpoint_the_busiest_first_and_their_sum(result: LoadResult) -> None:
    rows = {cells(line)[0]: cells(line)[1:] for line in text(result).splitlines() if " 4.20 ms" in line}

    assert list(rows) == ["/predict", "/rows|all", "all", "response"]
    assert rows["/predict"] == ["900", "30", "90.0/s", "4.20 ms", "5.10 ms", "6.30 ms", "18.7 ms", "-", "41.2 ms"]
    assert rows["all"] == ["1000", "30", "100/s", "4.20 ms", "5.10 ms", "6.30 ms", "18.7 ms", "-", "41.2 ms"]


def test_failures_are_shown_apart(result: LoadResult) -> None:
    (line,) = [line for line in text(result).splitlines() if line.strip().startswith("failures")]

    assert cells(line) == ["failures", "900 us", "-", "-", "-", "-", "1.10 ms"]


def test_an_open_loop_shows_response_beside_service_and_says_what_they_are(result: LoadResult) -> None:
    shown = text(result)

    assert "when it was sent" in " ".join(shown.split())
    assert "1210 arrivals: 1200 sent, 4 of them more than 1 ms late, 10 dropped" in shown


def test_the_headline_says_how_far_the_numbers_can_be_trusted(result: LoadResult) -> None:
    shown = text(result)

    assert "100 poisson arrivals per second for 10.0 s, mixed.py" in shown
    assert "10.0 s after 2.00 s of warm-up, steady" in shown
    assert "trustworthy, 21.0 % of a core" in shown
    assert "2 processes, 0.93 cores, RSS 120 MiB, 9 threads, counted 1200 requests, the client 1200" in " ".join(
        shown.split()
    )
    assert ["predict", "3.10 ms"] in [cells(line) for line in shown.splitlines()]
    assert "interrupted" not in shown
    assert "interrupted: partial result" in text(replace(result, partial=True))


def test_what_a_server_says_is_never_markup(result: LoadResult) -> None:
    assert "[bold]overloaded[/bold]" in text(result)


def test_many_endpoints_are_bounded(result: LoadResult) -> None:
    endpoint = result.endpoints["/predict"]
    many = replace(result, endpoints={f"/item/{number}": endpoint for number in range(10_000)})

    shown = text(many)

    assert "(9990 more)" in shown
    assert len(shown.splitlines()) < 60


def test_a_run_without_a_single_request_is_shown(result: LoadResult) -> None:
    nothing = EndpointResult(0, 0, 0.0, NOTHING, NOTHING, NOTHING, "")
    empty = replace(
        result,
        window=Window(0.0, 0.0, None),
        total=nothing,
        endpoints={},
        arrivals=None,
        server=None,
        errors=(),
        seconds=(),
        diagnosis=None,
    )

    assert "steadiness unknown" in text(empty)


def test_markdown_holds_the_same_numbers_and_escapes_names(result: LoadResult) -> None:
    stream = io.StringIO()
    REPORTERS[".md"].write(result, stream)
    lines = stream.getvalue().splitlines()

    assert "| /predict | 900 | 30 | 90.0/s | 4.20 ms | 5.10 ms | 6.30 ms | 18.7 ms | - | 41.2 ms |" in lines
    assert any(line.startswith("| /rows\\|all | 100 |") for line in lines)
    assert "| http\\_5xx | 30 | status 503: \\[bold\\]overloaded\\[/bold\\] |" in lines


def test_a_plain_line_appears_every_five_seconds_where_there_is_no_terminal() -> None:
    stream = io.StringIO()

    with show_load_progress(stream, "what") as tell:
        for index in range(12):
            tell(second(index))

    lines = stream.getvalue().splitlines()
    assert [line.split(",")[0] for line in lines] == ["5.00 s", "10.0 s"]
    assert lines[0] == describe_second(second(4))


def test_what_is_waited_for_is_said_at_once_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with show_load_progress(stream, "what", "Waiting for 2 workers."):
        assert stream.getvalue() == "Waiting for 2 workers.\n"


def test_the_line_names_every_figure_that_was_measured() -> None:
    assert describe_second(second(4)) == (
        "5.00 s, throughput 100/s, p50 4.20 ms, p90 5.10 ms, p95 6.30 ms, p99 18.7 ms, failures 3, arrivals due 100,"
        " users 10, in flight 7, lateness p99 120 us, server CPU 93.0 %, server RSS 120 MiB, generator CPU 21.0 %,"
        " generator RSS 50.0 MiB"
    )


def test_an_open_loop_has_no_users() -> None:
    assert "users" not in describe_second(replace(second(4), users=None))


def test_the_line_of_the_slowest_is_the_longest_of_each_second_however_many_there_are(result: LoadResult) -> None:
    """The 99th percentile is known of the middle second alone."""
    seconds = tuple(
        replace(second(index), latency=replace(LATENCY, p99_s=0.001 if index == 1 else None, max_s=0.1 * (index + 1)))
        for index in range(3)
    )

    (line,) = [line for line in text(replace(result, seconds=seconds)).splitlines() if "slowest" in line]

    assert line.split() == ["slowest", sparkline([0.1, 0.2, 0.3])]


@pytest.mark.parametrize(("columns", "drawn"), [(60, 46), (80, 66), (160, 146), (400, 200)])
def test_the_course_of_a_long_run_is_as_wide_as_the_terminal_lets_it_be(
    result: LoadResult, columns: int, drawn: int
) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=columns)
    for part in load_tables(replace(result, seconds=tuple(map(second, range(200)))), View()):
        console.print(part)
    (line,) = [line for line in stream.getvalue().splitlines() if line.startswith("  in flight")]
    assert line.split() == ["in", "flight", "█" * drawn]


def test_a_last_second_cut_short_does_not_flatten_the_line_of_requests(result: LoadResult) -> None:
    seconds = tuple(second(index, requests) for index, requests in enumerate([200, 350, 300, 350]))
    # Four requests in two milliseconds are a rate of 2000, but they are not 2000.
    seconds += (replace(second(4, 4), elapsed_s=0.002, in_flight=0),)

    lines = [line.rsplit(maxsplit=1) for line in text(replace(result, seconds=seconds)).splitlines()]

    assert ["  requests", sparkline([200, 350, 300, 354 / 1.002])] in lines
    assert ["  in flight", sparkline([7] * 4)] in lines


@pytest.mark.parametrize(
    ("further", "silent", "said"),
    [
        (0, 0, "5 dropped"),
        (90, 0, "5 dropped; 90 further requests"),
        (0, 7, "5 dropped, 7 whose task sent nothing"),
    ],
)
def test_what_tasks_sent_beside_their_arrivals_is_said(
    result: LoadResult, further: int, silent: int, said: str
) -> None:
    arrivals = Arrivals(1012, 1000, 3, 5, LATENCY, further=further, silent=silent)

    (line,) = [line for line in text(replace(result, arrivals=arrivals)).splitlines() if "arrivals:" in line]

    assert line.strip() == f"1012 arrivals: 1000 sent, 3 of them more than 1 ms late, {said}"
