"""Exceptions of sockets and of foreign clients find their class."""

import socket
import ssl

import pytest

from perfcli.loadtest.engine.faults import FaultError, Kind, classify, kind_of_status


class ConnectTimeout(Exception):  # noqa: N818 - named as requests names it
    """As requests has it."""


class ReadTimeout(Exception):  # noqa: N818
    """As requests has it."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(-2, "Name or service not known"), Kind.DNS),
        (ConnectionRefusedError(111, "Connection refused"), Kind.REFUSED),
        (OSError(113, "No route to host"), Kind.REFUSED),
        (ConnectionResetError(104, "Connection reset by peer"), Kind.RESET),
        (BrokenPipeError(32, "Broken pipe"), Kind.RESET),
        (ssl.SSLCertVerificationError("certificate verify failed"), Kind.TLS),
        (TimeoutError("timed out"), Kind.READ_TIMEOUT),
        (ConnectTimeout("10 s"), Kind.CONNECT_TIMEOUT),
        (ReadTimeout("10 s"), Kind.READ_TIMEOUT),
        (FaultError(Kind.PROTOCOL, "garbage"), Kind.PROTOCOL),
        (ValueError("expected 1 row"), Kind.CHECK_FAILED),
    ],
)
def test_each_exception_has_its_class(error, kind) -> None:
    assert classify(error).kind is kind


def test_the_innermost_cause_counts() -> None:
    wrapped = RuntimeError("max retries exceeded", OSError("pool", ConnectionRefusedError(111, "Connection refused")))
    fault = classify(wrapped)
    assert (fault.kind, str(fault)) == (Kind.REFUSED, "Connection refused")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, None),
        (201, None),
        (204, None),
        (301, Kind.CHECK_FAILED),
        (304, Kind.CHECK_FAILED),
        (400, Kind.HTTP_4XX),
        (429, Kind.HTTP_4XX),
        (500, Kind.HTTP_5XX),
        (503, Kind.HTTP_5XX),
        (999, Kind.HTTP_5XX),
    ],
)
def test_each_status_has_its_class(status, kind) -> None:
    assert kind_of_status(status) is kind
