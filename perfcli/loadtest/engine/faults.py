"""What can go wrong with a request, one class for each cause that a person would look for elsewhere."""

from __future__ import annotations

import ssl
from enum import StrEnum
from socket import gaierror


class Kind(StrEnum):
    """The class of a failure; the texts are part of the record."""

    DNS = "dns"
    REFUSED = "refused"
    RESET = "reset"
    CONNECT_TIMEOUT = "connect_timeout"
    READ_TIMEOUT = "read_timeout"
    TLS = "tls"
    PROTOCOL = "protocol"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    CHECK_FAILED = "check_failed"
    INCOMPLETE = "incomplete"


class FaultError(Exception):
    """A request failed; data for the record, not an error of the run.

    Attributes:
        kind: Class of the failure.
    """

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ReadTimeoutError(FaultError):
    """The answer was not complete in time; also when the request could not even be sent."""

    def __init__(self, message: str) -> None:
        super().__init__(Kind.READ_TIMEOUT, message)


def kind_of_status(status: int) -> Kind | None:
    """Class an HTTP status that the scenario did not expect; None for a good one.

    A redirect is `check_failed`: it is not followed, so nobody answered the question.
    """
    if status >= 500:
        return Kind.HTTP_5XX
    if status >= 400:
        return Kind.HTTP_4XX
    return None if 200 <= status < 300 else Kind.CHECK_FAILED


def classify(error: BaseException) -> FaultError:
    """Class an exception of a socket, of TLS, or of a foreign client that wraps one of these."""
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, FaultError):
            return cause
    # The innermost cause says most: clients wrap a refused connection two or three times.
    for cause in reversed(chain):
        kind = _kind_of(cause)
        if kind is not None:
            return FaultError(kind, getattr(cause, "strerror", None) or str(cause) or type(cause).__name__)
    return FaultError(Kind.CHECK_FAILED, str(error) or type(error).__name__)


def _kind_of(error: BaseException) -> Kind | None:
    name = type(error).__name__
    if isinstance(error, gaierror) or name == "NameResolutionError":
        return Kind.DNS
    if isinstance(error, ssl.SSLError):
        return Kind.TLS
    if isinstance(error, ConnectionRefusedError):
        return Kind.REFUSED
    if isinstance(error, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)):
        return Kind.RESET
    if "Timeout" in name or isinstance(error, TimeoutError):
        return Kind.CONNECT_TIMEOUT if "Connect" in name else Kind.READ_TIMEOUT
    if isinstance(error, OSError) and name in ("OSError", "ConnectionError"):
        # No route, network unreachable: the connection could not be made.
        return Kind.REFUSED
    return None


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        inner = next((argument for argument in error.args if isinstance(argument, BaseException)), None)
        error = error.__cause__ or error.__context__ or inner or getattr(error, "reason", None)
        if not isinstance(error, BaseException):
            break
    return chain
