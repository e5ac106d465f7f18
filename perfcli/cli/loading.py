"""What the commands that put load on an API share: which API, which payloads, and whether it may be loaded at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from perfcli.bundled import bundled_path
from perfcli.errors import UsageError
from perfcli.units import format_count

if TYPE_CHECKING:
    from perfcli.loadtest.messages import ScenarioFacts
    from perfcli.loadtest.planning import LoadPlan
    from perfcli.payloads import Payload


def default_scenario() -> Path:
    """Return the scenario of one prediction after the other."""
    return bundled_path("loadtests/predict.py")


def load_payloads(source: str | None, scenario: Path | None) -> tuple[Payload, ...]:
    """Read the payloads; patients for the default scenario, none for one of the user's that may have its own."""
    from perfcli.payloads import read_payloads

    if source is not None:
        return read_payloads(source)
    return () if scenario is not None else read_payloads(str(bundled_path("sample_payloads/patients.jsonl")))


def read_facts(scenario: Path | None) -> ScenarioFacts:
    """Return what a scenario of the user's brings by itself; the default one brings nothing.

    Raises:
        UsageError: It cannot be loaded, or holds no users.
        MeasurementError: The engine died of it.
    """
    from perfcli.loadtest.messages import ScenarioFacts
    from perfcli.loadtest.run import examine_scenario

    # One that is missing is refused with the other options.
    return examine_scenario(scenario) if scenario is not None and scenario.is_file() else ScenarioFacts()


@contextmanager
def aimed(plan: LoadPlan, *, workers: int | None = None) -> Iterator[LoadPlan]:
    """Yield a plan that has a target: its own, or the embedded API, which runs while the block does.

    Args:
        plan: The plan.
        workers: Processes of the embedded API; None for what its settings say.

    Raises:
        UsageError: The embedded API is loaded, and the metrics of another one are named.
    """
    from perfcli.loadtest.planning import aim
    from perfcli.settings import load_token

    plan = replace(plan, metrics_token=load_token())
    if plan.engine.base_url:
        yield _with_own_metrics(plan)
        return
    if plan.metrics_url is not None:
        raise UsageError("--metrics-url is for an API that runs.", "Name that with --host.")
    from perfcli.api.process import running_api

    environment = {} if workers is None else {"API_WORKERS": str(workers)}
    with running_api(environment) as api:
        yield aim(plan, api.base_url, metrics_url=f"{api.base_url}/metrics")


def describe_waiting(plan: LoadPlan) -> str:
    """Say whom a master waits for, and whether only this machine can reach it; empty when nobody is waited for."""
    from perfcli.hosts import is_loopback

    engine = plan.engine
    if not engine.expect_workers:
        return ""
    host = f"[{engine.master_host}]" if ":" in engine.master_host else engine.master_host
    said = f"Waiting for {format_count(engine.expect_workers, 'worker')} at {host}:{engine.master_port}"
    if not is_loopback(f"http://{host}"):
        return f"{said}."
    return f"{said}, which is this machine only: --master-bind HOST:PORT names an address that others reach."


@contextmanager
def told_when_interrupted() -> Iterator[None]:
    """Say that nothing is left of what Ctrl-C or SIGTERM breaks off here; a run that began is recorded, not broken."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise type(interrupt)("Interrupted before anything was measured.") from None


def _with_own_metrics(plan: LoadPlan) -> LoadPlan:
    """Read the metrics of a `perfcli serve` on this machine, too; a stranger is not asked for any unless told to be."""
    from perfcli.hosts import is_loopback
    from perfcli.loadtest.planning import aim
    from perfcli.loadtest.watch import is_served_by_perfcli

    base_url = plan.engine.base_url
    if plan.metrics_url is not None or not is_loopback(base_url) or not is_served_by_perfcli(base_url):
        return plan
    return aim(plan, base_url, metrics_url=f"{base_url}/metrics")


def confirm_target(plan: LoadPlan, *, yes: bool, bound: str | None = None) -> None:
    """Name a target that is not this machine, and how much it is to be asked; go on only when somebody agrees.

    Args:
        plan: What is going to run.
        yes: Somebody has agreed already.
        bound: How much it would get, when the plan is not all of it.

    Raises:
        UsageError: The person does not agree, or nobody can be asked, because there is no terminal.
    """
    from perfcli.hosts import is_loopback
    from perfcli.loadtest.planning import describe_bound

    url = plan.description.url
    if not plan.engine.base_url or is_loopback(url):
        return
    typer.echo(f"{url} is not this machine. It would get {bound or describe_bound(plan)}.", err=True)
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"Nobody is there to agree to loading {url}.", "Add --yes if it is yours to load.")
    # Not asked by Typer: it makes of Ctrl-C what ends with 1, which is what a failed SLO ends with.
    typer.echo("Go on? [y/N]: ", err=True, nl=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError(f"Nobody agreed to loading {url}.")


def split_address(address: str) -> tuple[str, int]:
    """Read `HOST:PORT`.

    Raises:
        UsageError: It is something else.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"'{address}' is no address.", "Write it like 127.0.0.1:5557.")
    return host.strip("[]"), int(port)


def read_label(text: str) -> object:
    """Read a label as JSON, such as 1 or "benign"; what is no JSON is text."""
    import json

    try:
        label: object = json.loads(text)
    except ValueError:
        return text
    return label
