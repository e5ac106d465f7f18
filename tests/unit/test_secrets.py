"""What opens a door is shown nowhere."""

from __future__ import annotations

import pytest

from perfcli.secrets import is_secret_name, mask_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://host:8000/predict", "http://host:8000/predict"),
        ("http://me:secret@host/predict", "http://me:***@host/predict"),
        ("http://me:se:cr@et@host/predict", "http://me:***@host/predict"),
        ("http://me@host/predict", "http://me@host/predict"),
        ("http://host/p?version=2&token=abc#top", "http://host/p?version=2&token=***#top"),
        ("http://host/p?key=abc&empty=", "http://host/p?key=***&empty="),
        ("http://me:secret@[host/p", "http://***@[host/p"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:geheim@host:6379/0", "redis://:***@host:6379/0"),
        ("https://elastic:ge@heim@host/path", "https://elastic:***@host/path"),
        ("redis://host?password=geheim&db=1", "redis://host?password=***&db=1"),
        ("api.log", "api.log"),
        ("redis://user:p#ss@host:6379/0", "redis://***@host:6379/0"),
        ("redis://user:p?ss@host:6379/0", "redis://***@host:6379/0"),
        ("redis://user:p/ss@host:6379/0", "redis://***@host:6379/0"),
        ("redis://:pa/ss@h", "redis://***@h"),
        ("http://host/p?mail=a@b.org&token=abc", "http://***@b.org"),
        ("http://host/p?monkey=a%20b", "http://host/p?monkey=a%20b"),
    ],
)
def test_the_secrets_of_a_url_are_masked(url: str, shown: str) -> None:
    assert mask_url(url) == shown


def test_names_tell_what_is_secret():
    assert all(map(is_secret_name, ["Authorization", "Cookie", "X-Api-Key", "password", "sig"]))
    assert not any(map(is_secret_name, ["Accept", "X-Team", "monkey", "version"]))
