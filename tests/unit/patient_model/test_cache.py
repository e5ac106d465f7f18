"""The trained model is kept, checked before it is believed, and replaced when it cannot be."""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
from pathlib import Path

import pytest

from perfcli.patient_model.cache import load_or_train, model_key
from perfcli.patient_model.features import engineer_features


class Trainer:
    """Hands out the pipeline that is already trained, and counts."""

    def __init__(self, pipeline) -> None:
        self.pipeline = pipeline
        self.runs = 0

    def __call__(self):
        self.runs += 1
        return self.pipeline


class Trap:
    """Leaves a trace in the file system when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def trainer(pipeline):
    return Trainer(pipeline)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def kept(folder, trainer):
    """The file that a first start has left."""
    load_or_train(folder, trainer)
    (file,) = folder.iterdir()
    trainer.runs = 0
    return file


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def with_header(key: str, content: bytes) -> bytes:
    return f"{key} {hashlib.sha256(content).hexdigest()}\n".encode() + content


def test_the_second_start_loads_what_the_first_trained(folder, trainer, held_out, caplog):
    load_or_train(folder, trainer)
    loaded = load_or_train(folder, trainer)
    features = engineer_features(held_out.measurements)
    assert trainer.runs == 1
    assert loaded is not trainer.pipeline
    assert loaded.predict_proba(features).tolist() == trainer.pipeline.predict_proba(features).tolist()
    assert warnings(caplog) == []


def test_the_file_and_the_new_folder_are_the_owners_alone(kept):
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: content[:100],
        lambda content: b"\x80garbage",
    ],
    ids=["empty", "cut", "flipped", "beginning", "garbage"],
)
def test_a_corrupt_file_is_trained_again_with_a_warning_and_replaced(folder, trainer, kept, caplog, damage):
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    load_or_train(folder, trainer)
    assert warnings(caplog) == [f"The embedded model is trained again: {kept} is corrupt."]
    assert trainer.runs == 1
    assert kept.read_bytes() == whole
    load_or_train(folder, trainer)
    assert trainer.runs == 1


def test_a_stale_file_is_trained_again_with_a_warning_and_replaced(folder, trainer, kept, caplog):
    whole = kept.read_bytes()
    kept.write_bytes(with_header("0" * 64, pickle.dumps("the model of last year")))
    assert load_or_train(folder, trainer) is trainer.pipeline
    assert warnings(caplog) == [f"The embedded model is trained again: {kept} was made by other model code."]
    assert kept.read_bytes() == whole


@pytest.mark.parametrize(("key", "mode"), [("", 0o600), ("0" * 64, 0o600), (None, 0o620), (None, 0o602)])
def test_a_file_that_cannot_be_trusted_is_never_unpickled(folder, trainer, kept, tmp_path, key, mode):
    trace = tmp_path / "executed"
    kept.write_bytes(with_header(model_key() if key is None else key, pickle.dumps(Trap(trace))))
    kept.chmod(mode)
    assert load_or_train(folder, trainer) is trainer.pipeline
    assert not trace.exists()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_the_trap_of_the_test_above_does_spring(tmp_path):
    trace = tmp_path / "executed"
    pickle.loads(pickle.dumps(Trap(trace)))
    assert trace.exists()


def test_a_file_that_others_can_write_is_named_in_the_warning(folder, trainer, kept, caplog):
    kept.chmod(0o666)
    load_or_train(folder, trainer)
    assert warnings(caplog) == [f"The embedded model is trained again: {kept} can be written by others."]


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path, trainer, caplog):
    (tmp_path / "occupied").touch()
    folder = tmp_path / "occupied" / "cache"
    assert load_or_train(folder, trainer) is trainer.pipeline
    assert warnings(caplog)[-1] == (
        f"The embedded model cannot be kept in {folder} (Not a directory) and is trained at every start;"
        " set PERFCLI_CACHE_DIR."
    )


def test_a_read_only_folder_is_done_without(folder, trainer, caplog):
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert load_or_train(folder, trainer) is trainer.pipeline
    assert load_or_train(folder, trainer) is trainer.pipeline
    assert trainer.runs == 2
    assert len(warnings(caplog)) == 2
    assert list(folder.iterdir()) == []


def test_a_file_that_cannot_be_replaced_leaves_no_rest_behind(folder, trainer, kept, caplog):
    kept.unlink()
    kept.mkdir()
    assert load_or_train(folder, trainer) is trainer.pipeline
    assert list(folder.iterdir()) == [kept]
    assert len(warnings(caplog)) == 2
