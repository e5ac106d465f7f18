"""What a request of a load asks for is what the same request of a profile asks for."""

from __future__ import annotations

import httpx
import pytest

from perfcli.errors import PayloadError
from perfcli.loadtest.urls import carry_in_query
from perfcli.targets.remote import open_remote

ROWS = (
    {"mean_radius": 1, "mean_area": -2.5e-7},
    {"name": "a b&c=d%20+/?#é€", "empty": "", "missing": None, "true": True},
    {"version": 3, "é": 1e300},
)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("path", ["/predict", "/predict?version=2&a=&b=1&b=2%20x"])
def test_row_of_a_get_request_is_the_query_that_a_profile_sends(
    row: dict[str, object], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[httpx.Request] = []

    def send(_: httpx.Client, request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={}, request=request)

    monkeypatch.setattr(httpx.Client, "send", send)
    target = open_remote(f"http://here{path}", headers=(), timeout_s=1, insecure=False, http_method="GET")
    target.prepare(row)()
    target.close()

    assert carry_in_query(path, row).encode() == sent[0].url.raw_path


@pytest.mark.parametrize("payload", [[{"a": 1}], [[1, 2]], {"a": [1]}, {"a": {"b": 1}}, 7])
def test_what_is_no_flat_row_has_no_place_in_a_query(payload: object) -> None:
    with pytest.raises(PayloadError, match="carries one flat row"):
        carry_in_query("/predict", payload)
