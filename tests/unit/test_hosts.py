"""Which addresses are this very machine."""

from __future__ import annotations

import pytest

from perfcli.hosts import is_loopback, url_of


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8000/predict", True),
        ("http://127.8.8.8", True),
        ("http://[::1]:8000", True),
        ("http://localhost", True),
        ("http://api.localhost", True),
        ("http://192.168.0.5", False),
        ("http://localhost.example.com", False),
        ("http://example.com/localhost", False),
    ],
)
def test_loopback_is_told_by_the_host_alone(url: str, loopback: bool) -> None:
    assert is_loopback(url) is loopback


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("api.internal", "http://api.internal:8000"),
    ],
)
def test_a_server_is_reached_where_it_listens_and_on_loopback_where_it_listens_everywhere(host: str, url: str) -> None:
    assert url_of(host, 8000) == url
