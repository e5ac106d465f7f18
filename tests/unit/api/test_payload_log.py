"""What is said of fields that are to be redacted."""

from __future__ import annotations

import pytest

from perfcli.api.app import create_app
from perfcli.settings import Settings


class _Model:
    feature_names = ("age", "name")

    def predict(self, rows: list[object]) -> list[object]:
        return [1] * len(rows)


@pytest.mark.parametrize(
    ("names", "warnings"),
    [
        (("name",), []),
        (("nmae", "age"), ["Warning: LOG_REDACT names what is no column of the model: nmae."]),
    ],
)
def test_a_redacted_name_that_is_no_column_is_a_warning(
    names: tuple[str, ...], warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    create_app(Settings(log_payloads=True, log_redact=names), model=_Model())
    assert caplog.messages == warnings
