"""Say in one line why a request got no answer, or none that can be used."""

from __future__ import annotations

import socket
import ssl
from http import HTTPStatus
from urllib.parse import urljoin

import httpcore
import httpx

from perfcli.errors import PerfcliError, TargetAnswerError, TargetUnreachableError
from perfcli.hosts import is_loopback
from perfcli.secrets import mask_url
from perfcli.targets.wording import describe_error, one_line
from perfcli.units import format_duration

_MAX_BODY = 200
_READ_THE_LOG = "Read the log of the API: it holds the cause."
_STATUS_HINTS = {
    400: "The API does not take this payload; send it one of its own samples.",
    401: "Send a credential: --header 'Authorization: env:TOKEN'.",
    403: "Send a credential that may do this: --header 'Authorization: env:TOKEN'.",
    404: "Check the path of the URL; it must be that of the prediction endpoint.",
    405: "Choose another method with --http-method.",
    413: "Send fewer rows at once.",
    415: "Name the type of the body: --header 'Content-Type: ...'.",
    422: "The API does not take this payload; send it one of its own samples.",
    429: "The API limits the rate; measure it where it does not.",
}


def explain_failure(error: Exception, url: httpx.URL, timeout_s: float) -> PerfcliError:
    """Translate an error of the HTTP client into the most specific of ours."""
    shown = mask_url(str(url))
    match error:
        case httpcore.ConnectTimeout() | httpcore.PoolTimeout():
            message = f"Cannot reach {shown}: no connection within {format_duration(timeout_s)}."
            return TargetUnreachableError(message, "Check host and port, or allow more time with --timeout.")
        case httpcore.TimeoutException():
            message = f"{shown} did not answer within {format_duration(timeout_s)}."
            return TargetUnreachableError(message, "Allow more time with --timeout.")
        case httpcore.ConnectError():
            return _explain_connection(error, url, shown)
        case httpcore.NetworkError():
            return TargetAnswerError(f"{shown} broke the connection off: {_reason(error)}.", _READ_THE_LOG)
        case httpcore.RemoteProtocolError() if "closed" in str(error) or "disconnected" in str(error):
            return TargetAnswerError(f"{shown} closed the connection before its answer was complete.", _READ_THE_LOG)
        case httpcore.ProtocolError():
            message = f"{shown} does not answer in HTTP: {one_line(str(error))}."
            return TargetAnswerError(message, "Check the port, and whether it expects https://.")
        case _:
            return TargetAnswerError(f"The answer of {shown} cannot be read: {describe_error(error)}.", _READ_THE_LOG)


def check_status(response: httpx.Response, url: httpx.URL) -> None:
    """Refuse redirects and errors.

    Raises:
        TargetAnswerError: The status is not 2xx.
    """
    status = response.status_code
    if 200 <= status < 300:
        return
    shown = mask_url(str(url))
    reason = f"{status} {response.reason_phrase or _phrase(status)}".rstrip()
    if 300 <= status < 400 and "location" in response.headers:
        location = mask_url(urljoin(str(url), response.headers["location"]))
        raise TargetAnswerError(f"{shown} redirects to {location} ({reason}).", f"Measure that: --url {location}")
    body = _first_line(response)
    hint = _STATUS_HINTS.get(status, _READ_THE_LOG if status >= 500 else "")
    raise TargetAnswerError(f"{shown} answered {reason}{body and f': {body}'}.", hint)


def not_json(response: httpx.Response, url: httpx.URL) -> TargetAnswerError:
    """Describe an answer that should have been JSON."""
    kind = response.headers.get("content-type", "").partition(";")[0] or "no content type"
    found = f"{kind}: {_first_line(response)}" if response.content else "nothing"
    message = f"{mask_url(str(url))} answered {response.status_code} with {one_line(found)}, which is not JSON."
    return TargetAnswerError(message, "Check the path of the URL; it must be that of the prediction endpoint.")


def _explain_connection(error: Exception, url: httpx.URL, shown: str) -> TargetUnreachableError:
    cause = _cause(error)
    if isinstance(cause, ConnectionRefusedError):
        hint = "Start the API with `perfcli serve`." if is_loopback(str(url)) else "Check host and port."
        return TargetUnreachableError(f"Cannot reach {shown}: connection refused.", hint)
    if isinstance(cause, socket.gaierror | UnicodeError):
        return TargetUnreachableError(
            f"Cannot reach {shown}: the name '{url.host}' is unknown.", "Check the spelling of the host."
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        message = f"Cannot trust {shown}: {one_line(cause.verify_message)}."
        return TargetUnreachableError(message, "If you know this server, add --insecure.")
    if isinstance(cause, ssl.SSLError):
        message = f"Cannot speak TLS with {shown}: {_reason(error)}."
        return TargetUnreachableError(message, "Check the port, and whether it expects http://.")
    return TargetUnreachableError(f"Cannot reach {shown}: {_reason(error)}.", "Check host and port.")


def _cause(error: Exception) -> object:
    """Return what httpcore translated: it cuts `__cause__` off, and keeps the original as the only argument."""
    return error.args[0] if error.args else None


def _reason(error: Exception) -> str:
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
        return one_line(str(reason)).lower().replace("_", " ")
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return one_line(str(error)) or type(error).__name__


def _first_line(response: httpx.Response) -> str:
    lines = response.text.strip().splitlines()
    line = one_line(lines[0]) if lines else ""
    return line if len(line) <= _MAX_BODY else f"{line[:_MAX_BODY]}..."


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
