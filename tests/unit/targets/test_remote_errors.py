"""The errors of the HTTP client that no server on loopback can provoke at will."""

from __future__ import annotations

import ssl

import httpcore
import httpx
import pytest

from perfcli.errors import PerfcliError, TargetAnswerError, TargetUnreachableError
from perfcli.targets.remote_errors import check_status, explain_failure

URL = httpx.URL("https://api.example:8443/predict")


@pytest.mark.parametrize(
    ("error", "kind", "message", "hint"),
    [
        (
            httpcore.ConnectTimeout(TimeoutError("timed out")),
            TargetUnreachableError,
            "Cannot reach https://api.example:8443/predict: no connection within 1.50 s.",
            "Check host and port, or allow more time with --timeout.",
        ),
        (
            httpcore.WriteTimeout(TimeoutError("timed out")),
            TargetUnreachableError,
            "https://api.example:8443/predict did not answer within 1.50 s.",
            "Allow more time with --timeout.",
        ),
        (
            httpcore.ConnectError(ConnectionRefusedError(111, "Connection refused")),
            TargetUnreachableError,
            "Cannot reach https://api.example:8443/predict: connection refused.",
            "Check host and port.",
        ),
        (
            httpcore.ConnectError(OSError(101, "Network is unreachable")),
            TargetUnreachableError,
            "Cannot reach https://api.example:8443/predict: network is unreachable.",
            "Check host and port.",
        ),
        (
            httpcore.ConnectError(ssl.SSLEOFError(8, "EOF occurred in violation of protocol")),
            TargetUnreachableError,
            "Cannot speak TLS with https://api.example:8443/predict: eof occurred in violation of protocol.",
            "Check the port, and whether it expects http://.",
        ),
        (
            httpcore.WriteError(BrokenPipeError(32, "Broken pipe")),
            TargetAnswerError,
            "https://api.example:8443/predict broke the connection off: broken pipe.",
            "Read the log of the API: it holds the cause.",
        ),
        (
            httpcore.ReadError(),
            TargetAnswerError,
            "https://api.example:8443/predict broke the connection off: ReadError.",
            "Read the log of the API: it holds the cause.",
        ),
    ],
)
def test_an_error_is_translated_to_the_most_specific(
    error: Exception, kind: type[PerfcliError], message: str, hint: str
) -> None:
    explained = explain_failure(error, URL, 1.5)
    assert type(explained) is kind
    assert (explained.message, explained.hint) == (message, hint)


@pytest.mark.parametrize(("status", "reason"), [(599, "599"), (304, "304 Not Modified")])
def test_a_status_that_nobody_defined_is_shown_as_it_is(status: int, reason: str) -> None:
    with pytest.raises(TargetAnswerError) as caught:
        check_status(httpx.Response(status), URL)
    assert caught.value.message == f"https://api.example:8443/predict answered {reason}."


def test_a_long_answer_is_cut() -> None:
    with pytest.raises(TargetAnswerError) as caught:
        check_status(httpx.Response(500, text="x" * 1000), URL)
    assert caught.value.message.endswith(f": {'x' * 200}....")
