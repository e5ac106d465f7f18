"""Payloads are taken in turn or at random, alone or joined."""

from collections import Counter

import orjson
import pytest

from perfcli.loadtest.engine.bodies import Bodies, count_rows

THREE = [b'{"a": 1}', b'{"a": 2}', b'{"a": 3}']


def test_payloads_are_taken_in_turn() -> None:
    bodies = Bodies(THREE, "turn", 0)
    assert [bodies.next(None).data for _ in range(4)] == [*THREE, THREE[0]]


def test_batches_go_round_until_every_payload_was_used() -> None:
    bodies = Bodies(THREE, "turn", 0)
    batches = [bodies.next(2) for _ in range(3)]
    assert [orjson.loads(batch.data) for batch in batches] == [
        [{"a": 1}, {"a": 2}],
        [{"a": 3}, {"a": 1}],
        [{"a": 1}, {"a": 2}],
    ]
    assert [batch.rows for batch in batches] == [2, 2, 2]


def test_a_batch_may_be_longer_than_the_file() -> None:
    assert orjson.loads(Bodies([b'{"a": 1}'], "turn", 0).next(3).data) == [{"a": 1}] * 3


def test_payloads_that_are_lists_are_joined_row_by_row() -> None:
    batch = Bodies([b'[{"a": 1}, {"a": 2}]'], "turn", 0).next(2)
    assert orjson.loads(batch.data) == [{"a": 1}, {"a": 2}] * 2
    assert batch.rows == 4


def test_a_payload_knows_its_rows() -> None:
    bodies = Bodies([b'{"a": 1}', b"[[1, 2], [3, 4]]"], "turn", 0)
    assert [bodies.next(None).rows for _ in range(2)] == [1, 2]


@pytest.mark.parametrize(
    ("payload", "rows"),
    [
        ({"instances": [[1, 2], [3, 4]]}, 2),
        ({"signature_name": "serving_default", "instances": [{"a": 1}, {"a": 2}, {"a": 3}]}, 3),
        ({"inputs": [[1, 2], [3, 4]]}, 2),
        ({"inputs": ["a text", "another"]}, 2),
        ({"inputs": "a text"}, 1),
        ({"dataframe_records": [{"a": 1}, {"a": 2}]}, 2),
        ({"dataframe_split": {"columns": ["a"], "data": [[1], [2]]}}, 2),
        ({"inputs": {"a": [1, 2]}}, None),
        ({"inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}]}, None),
        ({"features": [1, 2, 3]}, None),
        ({"a": 1, "b": "text", "c": None}, 1),
    ],
)
def test_the_rows_of_known_envelopes_are_counted(payload, rows) -> None:
    assert count_rows(payload) == rows


def test_a_batch_of_what_cannot_be_counted_cannot_be_counted() -> None:
    assert Bodies([b'{"a": 1}', b'{"a": [1]}'], "turn", 0).next(2).rows is None


def test_random_order_is_repeatable_and_uses_all() -> None:
    first, second = Bodies(THREE, "random", 5), Bodies(THREE, "random", 5)
    taken = [first.next(None).data for _ in range(300)]
    assert taken == [second.next(None).data for _ in range(300)]
    assert taken != [*THREE] * 100
    assert min(Counter(taken).values()) > 60
