"""A wrong answer is told from a right one."""

import pytest

from perfcli.loadtest.engine.checks import Checks

ALL = ("status", "rows", "probabilities", "sums", "labels")
DEFAULT = tuple(name for name in ALL if name != "sums")


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'{"predictions": [1, 0]}', 2),
        (b'{"prediction": 1}', 1),
        (b"[0, 1, 1]", 3),
        (b'{"probabilities": [[0.25, 0.75], [1, 0]], "model": "x"}', 2),
        (b'{"probabilities": [[0.3333333, 0.3333333, 0.3333334]]}', 1),
        (b'{"outputs": [{"data": [1]}]}', 5),
        (b'{"score": 0.5}', 1),
        (b'{"prediction": [0.5, 0.25]}', 1),
        (b"[0.1, 0.2]", 1),
        (b'[{"label": "a", "score": 0.6}, {"label": "b", "score": 0.4}]', 1),
        (b'{"predictions": {"score": [[0.5], [0.25]]}}', 2),
        (b'{"predictions": [1, 0, 1]}', None),
        (b'{"probabilities": [0.5, 0.7, 0.1]}', 1),
        (b'{"probabilities": [0.5, 0.7]}', 2),
        (b'{"probabilities": [{"benign": 0.25, "malignant": 0.75}]}', 1),
        (b'{"probabilities": [[[0.5, 0.4], [0.1, 0.1]]]}', 1),
    ],
)
def test_right_answers_pass(content, rows) -> None:
    assert Checks(ALL, ()).problem(content, rows) is None


def test_labels_that_are_known_pass() -> None:
    assert Checks(ALL, (0, 1)).problem(b'{"predictions": [1, 0]}', 2) is None


def test_probabilities_of_several_labels_need_not_sum_to_one() -> None:
    content = b'{"predictions": [1], "probabilities": [[0.9, 0.8]]}'
    assert Checks(DEFAULT, ()).problem(content, 1) is None
    assert Checks(ALL, ()).problem(content, 1) == "probabilities [0.9, 0.8] do not sum to 1"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{"predictions": [1]}', "1 prediction for 2 rows"),
        (b'{"predictions": []}', "0 predictions for 2 rows"),
        (b'{"probabilities": [[0.5, 0.5]]}', "1 prediction for 2 rows"),
        (b'{"probabilities": [0.5, 0.5, 0.5]}', "3 predictions for 2 rows"),
        (b"[1]", "1 prediction for 2 rows"),
        (b'{"probabilities": [[0.5, 0.5], [0.5, 0.4]]}', "probabilities [0.5, 0.4] do not sum to 1"),
        (b'{"probabilities": [[0.5, 0.5], [-0.5, 1.5]]}', "probabilities [-0.5, 1.5] are not all from 0 to 1"),
        (b'{"probabilities": [[0.5, 0.5], [null, 1]]}', "[None, 1] are no probabilities"),
        (b'{"probabilities": [[0.5, 0.5], 1]}', "1 are no probabilities"),
        (
            b'{"probabilities": [[0.5, 0.5], {"a": 0.5, "b": 0.6}]}',
            "probabilities {'a': 0.5, 'b': 0.6} do not sum to 1",
        ),
        (b'{"probabilities": [0.5, 1.5]}', "probabilities [0.5, 1.5] are not all from 0 to 1"),
        (b'{"probabilities": [0.5, "high"]}', "[0.5, 'high'] are no probabilities"),
        (b'{"predictions": [1, 2]}', "label 2 is none of [0, 1]"),
        (b'{"predictions": [1, null]}', "a label is null"),
        (b"[1, 7]", "label 7 is none of [0, 1]"),
    ],
)
def test_wrong_answers_are_told_why(content, problem) -> None:
    assert Checks(ALL, (0, 1)).problem(content, 2) == problem


@pytest.mark.parametrize(
    ("content", "rows", "problem"),
    [
        (b'{"predictions": [1, 0]}', 1, "2 predictions for 1 row"),
        (b"[[1, 0], [0, 1]]", 1, "2 predictions for 1 row"),
        (b"[]", 1, "0 predictions for 1 row"),
        (b'{"predictions": []}', None, "no predictions"),
    ],
)
def test_answers_of_another_length_are_told(content, rows, problem) -> None:
    assert Checks(DEFAULT, ()).problem(content, rows) == problem


@pytest.mark.parametrize("content", [b"", b"oops", b'{"predictions": [NaN]}', b'{"predictions": [1'])
def test_what_is_no_json_is_no_answer(content) -> None:
    assert "the answer is no JSON" in (Checks(ALL, ()).problem(content, 1) or "")


def test_only_the_checks_asked_for_are_made() -> None:
    wrong = b'{"predictions": [7, 7], "probabilities": [[0.1, 0.1], [0.1, 0.1]]}'
    assert Checks(("rows",), (0, 1)).problem(wrong, 2) is None
    assert Checks(("labels",), (0, 1)).problem(wrong, 9) == "label 7 is none of [0, 1]"
    assert Checks(("probabilities",), (0, 1)).problem(wrong, 9) is None
    assert Checks(("sums",), (0, 1)).problem(wrong, 9) == "probabilities [0.1, 0.1] do not sum to 1"
    assert Checks(("sums",), ()).problem(b'{"probabilities": [[2, -1]]}', 1) is None
    assert not Checks(("status",), ()).content


def test_any_label_passes_without_classes() -> None:
    assert Checks(ALL, ()).problem(b'{"predictions": ["benign"]}', 1) is None
