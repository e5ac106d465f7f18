"""Which log records a query for /logs selects."""

from __future__ import annotations

import orjson
import pytest
from fastapi import HTTPException

from perfcli.api.log_page import _oldest_timestamp, select


def _line(number: int, level: str, request_id: str | None) -> bytes:
    return orjson.dumps(
        {
            "timestamp": f"2026-01-31T12:00:0{number}.000000Z",
            "level": level,
            "transaction_id": request_id,
            "number": number,
        }
    )


LINES = [_line(3, "ERROR", "b"), _line(2, "INFO", "a"), _line(1, "WARNING", None), _line(0, "DEBUG", "a")]


def _numbers(**query: object) -> list[object]:
    return [document["number"] for document in select(LINES, **query)]  # type: ignore[arg-type]


def test_without_conditions_all_records_are_selected_in_their_order() -> None:
    assert _numbers() == [3, 2, 1, 0]


def test_a_level_selects_itself_and_what_is_above() -> None:
    assert _numbers(level="WARNING") == [3, 1]


def test_a_request_id_selects_the_records_of_one_request() -> None:
    assert _numbers(request_id="a") == [2, 0]


def test_a_moment_selects_itself_and_what_is_newer() -> None:
    assert _numbers(oldest="2026-01-31T12:00:02.000000Z") == [3, 2]


@pytest.mark.parametrize(
    ("since", "oldest"),
    [
        ("5m", "2026-01-31T11:55:00.000000Z"),
        ("1.5s", "2026-01-31T11:59:58.500000Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T13:00:00.25+01:00", "2026-01-31T12:00:00.250000Z"),
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
    ],
)
def test_an_age_and_a_moment_become_a_timestamp_of_the_log(since: str, oldest: str) -> None:
    assert _oldest_timestamp(since, now_s=1769860800.0) == oldest


def test_an_age_beyond_all_time_is_no_bound() -> None:
    assert _oldest_timestamp("9" * 20 + "h", now_s=1769860800.0) is None


@pytest.mark.parametrize("since", ["yesterday", "-5m", "", "2026-13-01", "0001-01-01T00:00:00+23:59"])
def test_any_other_text_is_refused_by_the_name_of_the_field(since: str) -> None:
    with pytest.raises(HTTPException) as refused:
        _oldest_timestamp(since, now_s=1769860800.0)
    assert (refused.value.status_code, refused.value.detail[0]["loc"]) == (422, ["query", "since"])  # type: ignore[index]
