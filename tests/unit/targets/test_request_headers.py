"""Headers are read from the command line and the environment, and secrets are shown nowhere."""

from __future__ import annotations

import pytest

from perfcli.errors import UsageError
from perfcli.targets.request_headers import parse_headers


def test_headers_are_split_at_the_first_colon() -> None:
    headers = parse_headers(["X-Team: fraud", "X-Time:12:30", "X-Empty:"])
    assert headers.values == {"X-Team": "fraud", "X-Time": "12:30", "X-Empty": ""}
    assert headers.secrets == ()


def test_a_value_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", " fraud\n")
    assert parse_headers(["X-Team: env:TEAM"]).values == {"X-Team": "fraud"}


@pytest.mark.parametrize(
    "header", ["Authorization: Bearer t0p", "Cookie: sid=1; t0p", "X-Api-Key: t0p", "X-Token: t0p"]
)
def test_what_a_secret_header_holds_is_hidden(header: str) -> None:
    headers = parse_headers([header, "X-Team: fraud"])
    assert headers.hide_secrets(f"sent {header.partition(': ')[2]} of fraud") == "sent *** of fraud"
    assert "t0p" not in repr(headers)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("Bearer t0p", "A header lacks the colon between its name and its value."),
        ("X Team: fraud", "'X Team' is no name of a header."),
        (": fraud", "'' is no name of a header."),
        ("X-Team: fr\naud", "The value of the header 'X-Team' holds a character that no header can carry."),
        ("X-Team: fraüd", "The value of the header 'X-Team' holds a character that no header can carry."),
        ("x-request-id: 1", "perfcli sets X-Request-ID itself, a new one for every request."),
        ("X-Team: env:NO_SUCH", "The header 'X-Team' is to come from NO_SUCH, which is not set."),
    ],
)
def test_what_is_no_header_is_refused_without_its_value(header: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_headers([header])
    assert caught.value.message == message
    assert "t0p" not in str(caught.value)
