"""The tree of errors, and the codes that its branches end in."""

from __future__ import annotations

from perfcli import errors


def tree(error: type[errors.PerfcliError]) -> list[type[errors.PerfcliError]]:
    return [error, *(found for child in error.__subclasses__() for found in tree(child))]


def test_the_docstring_draws_the_whole_tree():
    drawn = errors.__doc__ or ""
    assert [error.__name__ for error in tree(errors.PerfcliError) if error.__name__ not in drawn.split()] == []


def test_every_branch_ends_in_the_documented_code():
    codes = {
        errors.UsageError: 2,
        errors.MeasurementError: 3,
        errors.DeliveryError: 5,
    }
    for branch, code in codes.items():
        assert {error.exit_code for error in tree(branch)} == {code}


def test_a_missing_extra_names_the_command_that_installs_it():
    error = errors.MissingExtraError("The embedded model", "model")
    assert str(error) == (
        "The embedded model needs packages that are not installed. Install them with: pip install 'perfcli[model]'"
    )
