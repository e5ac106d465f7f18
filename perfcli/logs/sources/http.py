"""Questions to a server that answers in JSON, and its failures in our words."""

from __future__ import annotations

import re
from contextlib import suppress

import httpx

from perfcli.errors import TargetAnswerError, TargetUnreachableError

_LONGEST_REASON = 500
_ERRNO = re.compile(r"^\[Errno -?[0-9]+\] ")


def get_json(client: httpx.Client, request: httpx.Request, address: str) -> dict[str, object]:
    """Send a request and return the JSON object of the answer.

    Raises:
        TargetUnreachableError: Nobody answers.
        TargetAnswerError: The answer is an error, or no JSON object.
    """
    try:
        response = client.send(request)
    except httpx.TransportError as error:
        # What breaks the protocol is quoted in its text: our own header, with the token, or a stranger's.
        text = "" if isinstance(error, httpx.ProtocolError) else str(error)
        reason = _ERRNO.sub("", text).lower() or type(error).__name__
        raise TargetUnreachableError(
            f"Cannot read logs from {address}: {reason}.", "Start it, or name another place with --from."
        ) from error
    if response.status_code in {401, 403}:
        raise TargetAnswerError(
            f"{address} answers {response.status_code}.", "Set API_TOKEN, or put user and password into the URL."
        )
    try:
        document = response.raise_for_status().json()
    except httpx.HTTPStatusError as error:
        reason = _reason(response)
        raise TargetAnswerError(
            f"{address} answers {response.status_code} to a question for logs{f': {reason}' if reason else '.'}",
            "Is this the right address?" if response.status_code < 500 else "",
        ) from error
    except ValueError as error:
        raise TargetAnswerError(f"{address} does not answer in JSON.", "Is this the right address?") from error
    if not isinstance(document, dict):
        raise TargetAnswerError(f"{address} answers with something that is no log.", "Is this the right address?")
    return document


def _reason(response: httpx.Response) -> str:
    """Return what the API says of its error: `{"detail": ...}`; nothing of anybody else's."""
    with suppress(ValueError, AttributeError):
        detail = response.json().get("detail")
        if isinstance(detail, str) and len(detail) <= _LONGEST_REASON:
            return detail
    return ""
