"""From the options that name a target to the target; shared by all commands that measure one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perfcli.bundled import bundled_path
from perfcli.cli.options import read_duration
from perfcli.errors import UsageError

if TYPE_CHECKING:
    from perfcli.targets.protocol import Target


def open_local(model: str | None, method: str | None, *, trust: bool, stage: Sequence[str]) -> Target:
    """Load a model; the embedded one when none is named."""
    from perfcli.targets.local import open_model

    return open_model(model, method, trust=trust, stage_functions=stage)


def open_url(url: str, *, header: Sequence[str], timeout: str, insecure: bool, http_method: str) -> Target:
    """Make ready to call a remote API."""
    from perfcli.hosts import is_loopback
    from perfcli.settings import load_token
    from perfcli.targets.remote import open_remote

    return open_remote(
        url,
        headers=header,
        timeout_s=read_duration("--timeout", timeout),
        insecure=insecure,
        http_method=http_method,
        # That of an API on this machine is in the environment or .env; a stranger's server only need ask for it.
        log_token=load_token() if is_loopback(url) else None,
    )


def refuse_options(what: str, **options: object) -> None:
    """Refuse options that say nothing about what is measured, instead of ignoring them.

    Raises:
        UsageError: One of them is given.
    """
    for name, value in options.items():
        if value:
            raise UsageError(f"--{name} cannot go with {what}.", "Leave one of the two out.")


def default_payload(model: str | None) -> str:
    """Return the patient that stands in when no payload is named; a model of the user's does not know what it is.

    Raises:
        UsageError: Another model than the embedded one is named.
    """
    if model is None:
        return str(bundled_path("sample_payloads/malignant.json"))
    raise UsageError("No payload is named.", "Name a JSON, JSON Lines or CSV file, or - for stdin.")
