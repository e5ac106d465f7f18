"""Keep the trained model in the user's cache folder, so that only the first start trains it."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.pipeline import Pipeline

_logger = logging.getLogger("perfcli")
_MODEL_CODE = ("features.py", "training.py")


class _UnusableError(Exception):
    """The cached file must not be used; the text completes a sentence about it."""


def model_key() -> str:
    """Return a digest of all that decides what training yields: the libraries and the code of the model."""
    digest = hashlib.sha256(_libraries().encode())
    for name in _MODEL_CODE:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()


def load_or_train(folder: Path, train: Callable[[], Pipeline]) -> Pipeline:
    """Return the model kept in the folder, or train it and keep it there.

    A file that is corrupt, stale or open to others is replaced, and a folder that cannot be written is done without;
    both are logged as a warning. Processes that start at once may all train: each writes a file of its own and moves
    it into place, so that a reader finds a whole one or none.
    """
    # One file per set of libraries, so that two environments do not take turns in replacing each other's model.
    path = folder / f"patient_model-{hashlib.sha256(_libraries().encode()).hexdigest()[:16]}.pickle"
    key = model_key()
    try:
        pipeline: Pipeline = pickle.loads(_read_trusted(path, key))  # noqa: S301 - our own file, checked
    except FileNotFoundError:
        _logger.info("Training the embedded model; it is kept in %s.", folder)
    except (_UnusableError, OSError) as error:
        _logger.warning("The embedded model is trained again: %s %s.", path, _reason(error))
    else:
        return pipeline
    pipeline = train()
    try:
        _write_atomically(path, key, pickle.dumps(pipeline, protocol=pickle.HIGHEST_PROTOCOL))
    except OSError as error:
        message = "The embedded model cannot be kept in %s (%s) and is trained at every start; set PERFCLI_CACHE_DIR."
        _logger.warning(message, folder, _reason(error))
    return pipeline


def _libraries() -> str:
    python = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
    return f"{python}, scikit-learn {sklearn.__version__}, pandas {pd.__version__}, numpy {np.__version__}"


def _read_trusted(path: Path, key: str) -> bytes:
    """Return the pickle in the file if nobody else can have written it, and it is whole and current.

    Unpickling executes what the file says, so all this is checked before.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise _UnusableError("can be written by others")
        header = file.readline().split()
        content = file.read()
    if len(header) != 2 or header[1] != hashlib.sha256(content).hexdigest().encode():
        raise _UnusableError("is corrupt")
    if header[0] != key.encode():
        raise _UnusableError("was made by other model code")
    return content


def _write_atomically(path: Path, key: str, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=path.stem, dir=path.parent)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{key} {hashlib.sha256(content).hexdigest()}\n".encode())
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
