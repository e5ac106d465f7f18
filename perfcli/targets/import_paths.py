"""Turn `package.module:attribute` into the object it names."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

from perfcli.errors import ModelError, UsageError
from perfcli.targets.wording import describe_error, did_you_mean

_FORM = "Write it as package.module:attribute."


def make_working_directory_importable() -> None:
    """Let modules beside the user be imported, as `python -m` does and a console script does not."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)


def import_object(path: str) -> object:
    """Import the module and follow the dotted attributes; nothing on the way is called.

    Raises:
        UsageError: Not such a path.
        ModelError: Nothing of that name (the hint has the nearest), or the import raises.
    """
    module_name, colon, attributes = path.partition(":")
    parts = [*module_name.split("."), *attributes.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise UsageError(f"'{path}' is not an import path.", _FORM)
    found: object = _import_module(module_name, path)
    walked = module_name
    for attribute in attributes.split("."):
        found = _attribute(found, attribute, walked, path)
        walked = f"{walked}.{attribute}"
    return found


def _import_module(name: str, path: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name != missing and not name.startswith(f"{missing}."):
            hint = f"'{name}' imports it; install it, or run perfcli where it can be imported."
            raise ModelError(f"Cannot import '{path}': there is no module '{missing}'.", hint) from error
        hint = did_you_mean(missing, _modules_beside(missing)) or "Run perfcli where it can be imported."
        raise ModelError(f"Cannot import '{path}': there is no module '{missing}'.", hint) from error
    # SystemExit too: a script that is run by being imported often ends with sys.exit().
    except (Exception, SystemExit) as error:
        hint = f"See for yourself with: python -c 'import {name}'"
        raise ModelError(f"Importing '{name}' raises {describe_error(error)}.", hint) from error


def _attribute(owner: object, name: str, walked: str, path: str) -> object:
    try:
        return getattr(owner, name)
    except AttributeError as error:
        # A module attribute made on first access may fail with an AttributeError of its own making.
        if name in dir(owner):
            raise ModelError(f"'{path}' raises {describe_error(error)}.") from error
        hint = did_you_mean(name, dir(owner))
        raise ModelError(f"'{walked}' has no attribute '{name}'.", hint or _names(owner)) from error


def _modules_beside(missing: str) -> list[str]:
    """List the modules that could have been meant, with their packages in front."""
    parent, dot, _ = missing.rpartition(".")
    search = getattr(sys.modules.get(parent), "__path__", None) if parent else None
    return [f"{parent}{dot}{module.name}" for module in pkgutil.iter_modules(search)]


def _names(owner: object) -> str:
    names = [name for name in dir(owner) if not name.startswith("_")]
    return f"It has {', '.join(names[:10])}." if names else ""
