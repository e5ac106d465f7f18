"""Histograms in a line, and what becomes of signs that an encoding lacks."""

from __future__ import annotations

import pytest

from perfcli.reporters.histogram import bins, histogram_line
from perfcli.reporters.plain_text import encodable


def test_bins_count_every_value_once_and_the_largest_is_in_the_last():
    assert bins([0, 0.9, 1, 2.5, 4], 0, 4, 4) == [2, 1, 1, 1]


def test_a_histogram_has_a_sign_per_part_and_a_space_where_nothing_is():
    assert histogram_line([1.0, 1.0, 1.0, 1.0, 1.1, 1.9, 2.0], 4) == "█  ▄"


def test_equal_values_are_one_block():
    assert histogram_line([0.005] * 7, 40) == "█"


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf-16", None])
def test_an_encoding_that_has_everything_gets_everything(encoding):
    assert encodable("├─ ▁█ é …", encoding) == "├─ ▁█ é …"


def test_ascii_gets_signs_of_its_own_and_a_question_mark_for_the_rest():
    assert encodable("├─ └─ ▁▄█ … é", "ascii") == "|- `- .=# ~ ?"


def test_latin_1_keeps_the_letters_it_has():
    assert encodable("│ é ☃", "iso-8859-1") == "| é ?"
