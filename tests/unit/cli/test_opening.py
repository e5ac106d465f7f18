"""What a remote API is given by the command line."""

from __future__ import annotations

import pytest

import perfcli.targets.remote
from perfcli.cli.opening import open_url


@pytest.mark.parametrize(
    ("url", "token"),
    [("http://127.0.0.1:8000/predict", "s3cret"), ("https://api.example.com/predict", None)],
)
def test_the_token_of_this_machine_is_not_for_a_stranger_who_asks_for_one(
    monkeypatch: pytest.MonkeyPatch, url: str, token: str | None
) -> None:
    given: dict[str, object] = {}
    monkeypatch.setenv("API_TOKEN", "s3cret")
    monkeypatch.setattr(perfcli.targets.remote, "open_remote", lambda _, **options: given.update(options))
    open_url(url, header=[], timeout="1s", insecure=False, http_method="POST")
    assert given["log_token"] == token
