"""The search for capacity, against a server that measures its own and against those that have none to be found."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from perfcli.cli.loading import aimed, default_scenario
from perfcli.loadtest.options import LoadOptions
from perfcli.loadtest.planning import plan_load

Run = Callable[..., subprocess.CompletedProcess[str]]
SERVERS = Path(__file__).parents[1]
ATTEMPTS = 3


@contextmanager
def serving(program: Path) -> Iterator[str]:
    """Serve from a process of its own, which prints its port."""
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.terminate()


@pytest.fixture
def slots_url() -> Iterator[str]:
    with serving(SERVERS / "cli" / "slots.py") as url:
        yield url


def capacity_of(slots_url: str) -> float:
    """Return what the slots were able to serve, as they measured it themselves."""
    with urlopen(f"{slots_url}/capacity", timeout=30) as answer:
        # Where no request ever waited the server was never at its limit.
        return float(json.load(answer)["capacity_rps"] or "inf")


@pytest.mark.slow
def test_capacity_of_four_slots_is_what_the_server_measures_itself(perfcli: Run) -> None:
    """On a machine too busy for any answer the search must say so, and what it says of it must be true.

    One search of three may be wrong: a burst while a load is tried says something else of it than the server's mean.
    """
    tried: list[tuple[int, str, float | None, float]] = []
    for _ in range(ATTEMPTS):
        with serving(SERVERS / "cli" / "slots.py") as url:
            done = perfcli(
                "capacity", "--host", url, "--slo", "p90 < 150ms", "--slo", "error_rate < 1%",
                "--start", "100", "--probe-time", "6s", "--max-time", "60s", "--json",
            )  # fmt: skip
            document = json.loads(done.stdout)
            truth_rps = capacity_of(url)
        # Little's law is checked at each probe, and holds however busy the machine is.
        assert all(probe["littles_ratio"] for probe in document["probes"] if probe["throughput_rps"])
        assert [probe["reason"] for probe in document["probes"] if "Little" in probe["reason"]] == []
        tried.append((done.returncode, document["outcome"], document["held"], truth_rps))
        if document["capacity"] == pytest.approx(truth_rps, rel=0.1):
            assert (done.returncode, document["outcome"]) == (0, "found")
            return
    honest = [
        code == 4 and outcome != "found" and (held is None or held <= 1.1 * truth_rps)
        for code, outcome, held, truth_rps in tried
    ]
    assert honest.count(False) <= 1, tried


@pytest.mark.slow
def test_impossible_slo_is_refused_at_the_lowest_load(perfcli: Run, slots_url: str) -> None:
    done = perfcli(
        "capacity", "--by", "users", "--host", slots_url, "--slo", "max < 5ms", "--probe-time", "2s", "--json"
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["capacity"]) == (1, "below", None), done.stderr
    assert document["reason"].startswith("at 1 user already: max < 5ms: max is ")


def test_search_without_anything_that_must_hold_is_refused(perfcli: Run) -> None:
    assert perfcli("capacity").returncode == 2
    assert perfcli("capacity", "--slo", "p99 <").returncode == 2
    assert perfcli("capacity", "--slo", "p50 < 1s", "--host", "http://127.0.0.1:9").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "users", "--slo", "dropped < 1%"], "Only an open loop has arrivals that can be dropped"),
        (["--workers", "1,none", "--slo", "p50 < 1s"], "--workers 1,none: these are no whole numbers above 0."),
        (["--precision", "0%", "--slo", "p50 < 1s"], "--precision must be above 0, not 0%."),
        (["--max-time", "0s", "--slo", "p50 < 1s"], "--max-time must be above 0, not 0s."),
        (["--workers", "2", "--host", "http://127.0.0.1:9", "--slo", "p50 < 1s"], "--workers is for the embedded API"),
    ],
)
def test_search_that_makes_no_sense_is_refused_before_it_starts(perfcli: Run, arguments: list[str], words: str) -> None:
    done = perfcli("capacity", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.slow
def test_each_number_of_workers_is_searched_with_a_server_of_its_own(perfcli: Run) -> None:
    # No service answers within a nanosecond, so that each search fails at one user, and makes sure of it.
    done = perfcli(
        "capacity", "--workers", "2,1", "--by", "users", "--slo", "max < 1ns", "--probe-time", "2s", "--json"
    )
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["workers"]) == (1, "below", 1), done.stderr
    assert [(each["workers"], len(each["probes"]), each["outcome"]) for each in document["settings"]] == [
        (1, 2, "below"),
        (2, 2, "below"),
    ]
    told = [line.partition(" after ")[0] for line in done.stderr.splitlines()]
    assert [line for line in told if line.startswith("workers") or line.endswith("fails")] == [
        "workers: 1", "1 user: fails", "1 user: fails", "workers: 2", "1 user: fails", "1 user: fails"
    ]  # fmt: skip


@pytest.mark.slow
def test_embedded_api_runs_with_as_many_workers_as_are_searched() -> None:
    plan = plan_load(LoadOptions(scenario=default_scenario()))

    def workers() -> int:
        below = [process.cmdline() for process in psutil.Process().children(recursive=True)]
        return sum("--multiprocessing-fork" in command for command in below)

    with aimed(plan, workers=2):
        # The first may answer before there is a second.
        deadline_s = time.monotonic() + 60
        while workers() < 2:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        assert workers() == 2


@pytest.fixture
def null_url() -> Iterator[str]:
    """Serve answers that cost next to nothing."""
    with serving(SERVERS / "engine" / "server.py") as url:
        yield url


@pytest.mark.slow
def test_capacity_beyond_what_the_generator_can_do_is_not_known(
    perfcli: Run, null_url: str, tmp_path: Path, busy_scenario: str
) -> None:
    (tmp_path / "row.json").write_text('{"a": 1}')
    done = perfcli(
        "capacity", "--host", null_url, "--payloads", "row.json", "--scenario", busy_scenario, "--slo", "p50 < 5ms",
        "--start", "100", "--probe-time", "2s", "--timeout", "1s", "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["capacity"]) == (4, "generator-bound", None), done.stderr
    assert [(probe["load"], probe["outcome"]) for probe in document["probes"]] == [(100, "generator-bound")] * 3
    assert document["reason"].startswith("at 100/s the generator could not keep up: ")


@pytest.mark.slow
def test_service_that_answers_nothing_is_no_matter_of_load(perfcli: Run, null_url: str) -> None:
    started_s = time.monotonic()
    done = perfcli(
        "capacity", "--host", null_url, "--path", "/status?code=404", "--slo", "p99 < 50ms", "--probe-time", "100s",
        "--json",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, ""), done.stdout
    assert "Every request failed, so no latency was measured: status 404" in done.stderr
    assert "The path, the payloads and the headers are the usual causes." in done.stderr
    # The first probe alone would take longer.
    assert time.monotonic() - started_s < 90


def test_answers_of_a_form_of_their_own_can_be_judged_by_their_status(perfcli: Run, null_url: str) -> None:
    search = ("capacity", "--host", null_url, "--path", "/short", "--slo", "error_rate < 1%", "--probe-time", "1s")
    search += ("--max-probes", "4", "--by", "users")
    done = perfcli(*search)
    assert done.returncode == 3
    assert "0 predictions for 1 row" in done.stderr
    assert "judge them by their status alone: --check status." in done.stderr
    assert perfcli(*search, "--check", "status").returncode != 3


OVERLOADED = """
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    began_s = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        now_s = time.monotonic()
        Answers.began_s = [s for s in Answers.began_s if s > now_s - 0.5] + [now_s]
        # More than 60 a second, and it is overloaded until that has passed.
        self.send_response(200 if len(Answers.began_s) <= 30 else 503)
        self.send_header("Content-Length", "19")
        self.end_headers()
        self.wfile.write(b'{"predictions":[1]}')

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@pytest.mark.slow
def test_load_at_which_everything_fails_is_beyond_the_limit(perfcli: Run, tmp_path: Path) -> None:
    (tmp_path / "overloaded.py").write_text(OVERLOADED)
    with serving(tmp_path / "overloaded.py") as url:
        done = perfcli(
            "capacity", "--host", url, "--slo", "error_rate < 5%", "--start", "20", "--probe-time", "5s",
            "--max-probes", "4", "--precision", "50%", "--json",
        )  # fmt: skip
    document = json.loads(done.stdout)
    assert done.returncode in (0, 4)
    assert len(document["probes"]) >= 4
    assert "Every request failed" not in done.stderr


MORTAL = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Answers.served += 1
        if Answers.served > 60:
            os._exit(0)
        self.send_response(200)
        self.send_header("Content-Length", "19")
        self.end_headers()
        self.wfile.write(b'{"predictions":[1]}')

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@pytest.mark.slow
def test_service_that_dies_of_the_search_leaves_what_was_found_by_then(perfcli: Run, tmp_path: Path) -> None:
    (tmp_path / "mortal.py").write_text(MORTAL)
    with serving(tmp_path / "mortal.py") as url:
        done = perfcli(
            "capacity", "--host", url, "--slo", "error_rate < 1%", "--start", "50", "--probe-time", "3s", "--json"
        )
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["capacity"]) == (4, "unconfirmed", None), done.stderr
    assert document["probes"][0]["throughput_rps"] > 0
    assert document["reason"].startswith(f"Cannot reach {url}: "), document["reason"]
    assert "; nothing held" in document["reason"]
