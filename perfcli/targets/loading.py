"""Load a model from a file or an import path, and run no code that nobody vouched for."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from time import perf_counter_ns

from perfcli.errors import MissingExtraError, ModelError, PerfcliError, UntrustedModelError, UsageError
from perfcli.targets.import_paths import import_object, make_working_directory_importable
from perfcli.targets.wording import describe_error


def load_model(name: str, *, trust: bool) -> tuple[object, float]:
    """Load what `name` says, and return it with the seconds that importing and loading took.

    Args:
        name: A file (its suffix tells the format) or `package.module:attribute`.
        trust: Files may execute code, and skops files may create any type, trees among them.

    Raises:
        UsageError: Neither a file of a known suffix nor an import path.
        ModelError: Missing, not what the suffix says, or raises while it loads.
        UntrustedModelError: Loading would execute code.
        MissingExtraError: The library that wrote the file is not installed.
    """
    make_working_directory_importable()
    started = perf_counter_ns()
    if Path(name).suffix.lower() in _LOADERS:
        model = _load_file(Path(name), trust=trust)
    elif ":" in name:
        model = import_object(name)
    else:
        known = ", ".join(_LOADERS)
        raise UsageError(
            f"'{name}' names no model.", f"Give a file ({known}) or an import path, package.module:attribute."
        )
    return model, (perf_counter_ns() - started) / 1e9


def _load_file(path: Path, *, trust: bool) -> object:
    if not path.is_file():
        siblings = {other.stem: other for other in path.parent.glob(f"*{path.suffix}")}
        near = get_close_matches(path.stem, siblings, n=1)
        hint = f"Did you mean '{siblings[near[0]]}'?" if near else "Check the path to the model."
        raise ModelError(f"There is no file '{path}'.", hint)
    try:
        return _LOADERS[path.suffix.lower()](path, trust)
    except PerfcliError:
        raise
    # A file that is no model can make a loader raise anything at all.
    except (Exception, SystemExit) as error:
        raise ModelError(f"Cannot load '{path}': {describe_error(error)}.", _loading_hint(error)) from error


def _loading_hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"Install '{error.name}', or run perfcli where it can be imported."
    if isinstance(error, AttributeError) and "__main__" in str(error):
        return "It was saved by a script; move what it names into a module, and save it again."
    return "Save the model again, with the library versions installed here."


def _load_pickle(path: Path, trust: bool) -> object:
    import pickle

    _require_trust(path, trust)
    with path.open("rb") as file:
        return pickle.load(file)  # noqa: S301 (the user vouched for it)


def _load_joblib(path: Path, trust: bool) -> object:
    _require_trust(path, trust)
    try:
        import joblib
    except ModuleNotFoundError:
        raise MissingExtraError("Loading a joblib file", "model") from None
    model: object = joblib.load(path)
    return model


def _load_skops(path: Path, trust: bool) -> object:
    try:
        from skops import io
    except ModuleNotFoundError:
        raise MissingExtraError("Loading a skops file", "model") from None
    found = io.get_untrusted_types(file=path)
    untrusted = [each for each in found if each not in _HARMLESS]
    if untrusted and not trust:
        noun = "a type" if len(untrusted) == 1 else f"{len(untrusted)} types"
        raise UntrustedModelError(
            f"'{path}' holds {noun} that skops does not trust: {', '.join(untrusted)}.",
            "If you know where the file comes from, add --trust.",
        )
    model: object = io.load(path, trusted=found)
    return model


_HARMLESS = ("numpy.dtype", "sklearn.utils._bunch.Bunch")
"""Types that skops trusts in no file, though they do no harm: imputers hold the one, votes of named models the other.

The one is made of an empty array, which skops reads without pickle; the other is a dict, and skops judges all in it.
Trees (`Tree`, `TreePredictor`) are none of these, on purpose: scikit-learn follows the indices in them unchecked, so
that a file can make a prediction read memory that is not its own.
"""


def _require_trust(path: Path, trust: bool) -> None:
    if not trust:
        raise UntrustedModelError(
            f"Loading '{path}' executes code that the file holds.",
            "If you know where the file comes from, add --trust; many models need none as a .skops file.",
        )


_LOADERS: dict[str, Callable[[Path, bool], object]] = {
    ".joblib": _load_joblib,
    ".pkl": _load_pickle,
    ".pickle": _load_pickle,
    ".skops": _load_skops,
}
