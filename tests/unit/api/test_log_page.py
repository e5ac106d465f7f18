"""What GET /logs asks its source for, and how it shows the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from fastapi import FastAPI

from perfcli.api.log_page import log_router
from perfcli.errors import TargetUnreachableError
from perfcli.logs import Record
from perfcli.logs.query import LogQuery, RecordPage

RECORDS = [Record(str(n), f"2026-01-31T12:00:0{n}.000000Z", orjson.dumps({"number": n})) for n in (3, 2, 1, 0)]


class _Source:
    """Answers every query from all records, and remembers the query."""

    def __init__(self) -> None:
        self.asked: list[LogQuery] = []

    def page(self, query: LogQuery, offset: int) -> RecordPage:
        self.asked.append(query)
        return RecordPage(RECORDS[offset : offset + (query.limit or 0)], len(RECORDS))


async def _get(query: str, source: object) -> httpx.Response:
    app = FastAPI()
    app.include_router(log_router(source.page))  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(f"/logs{query}")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_a_page_has_its_place_and_the_total() -> None:
    answer = await _get("?limit=2&offset=1", _Source())
    assert answer.json() == {"total": 4, "limit": 2, "offset": 1, "logs": [{"number": 2}, {"number": 1}]}


@pytest.mark.anyio
async def test_an_offset_beyond_the_end_is_an_empty_page() -> None:
    assert (await _get("?offset=9", _Source())).json() == {"total": 4, "limit": 100, "offset": 9, "logs": []}


@pytest.mark.anyio
async def test_conditions_reach_the_source_as_they_are() -> None:
    source = _Source()
    await _get("?since=2026-01-31T13:00:00%2B01:00&level=ERROR&request_id=a&limit=7", source)
    assert source.asked == [LogQuery("2026-01-31T12:00:00.000000Z", "ERROR", "a", 7)]


@pytest.mark.anyio
async def test_an_age_counts_back_from_now() -> None:
    source = _Source()
    await _get("?since=5m", source)
    age = datetime.now(UTC) - datetime.fromisoformat(source.asked[0].since or "")
    assert timedelta(minutes=5) <= age < timedelta(minutes=6)


@pytest.mark.anyio
@pytest.mark.parametrize("since", ["yesterday", "-5m", "2026-13-01", "0001-01-01T00:00:00%2B23:59", "9" * 20 + "h"])
async def test_any_other_text_is_refused_by_the_name_of_the_field(since: str) -> None:
    answer = await _get(f"?since={since}", _Source())
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["query", "since"]


@pytest.mark.anyio
async def test_a_store_that_is_down_is_not_an_empty_log() -> None:
    class Down:
        def page(self, query: LogQuery, offset: int) -> RecordPage:
            raise TargetUnreachableError("Cannot reach redis://localhost.")

    answer = await _get("", Down())
    assert (answer.status_code, answer.json()) == (503, {"detail": "Cannot reach redis://localhost."})
