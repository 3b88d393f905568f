"""A clone that was moved or copied, with a real MLflow record in SQLite: nothing leads back."""

import contextlib
import hashlib
import shutil
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.record.served import KERAS_FILE
from slimderm.flows.servers import doctor

DESCRIPTION = {"classes": ["a", "b"], "size": [4, 4], "variant": "original", "image_only": True}


def opened():
    """The record of the current folder."""
    return Tracker(RecordSettings())


def log(tracker, key):
    """Record a run with a model and a file."""
    image = keras.Input((4, 4, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D()(image)
    output = keras.layers.Dense(2, "softmax", kernel_initializer="ones")(mean)
    parent = tracker.parent("parent", "lenet5", {})
    with tracker.child(parent, key, "R0", {}) as run, TemporaryDirectory() as place:
        file = Path(place) / KERAS_FILE
        keras.Model({"image": image}, output).save(file)
        run.model(file, DESCRIPTION)
        tracker.client.log_text(run.run_id, key, "note.txt")
    return run.run_id


@pytest.fixture(scope="module")
def original(tmp_path_factory, with_policy):
    """A clone with a record; its name holds a blank, which an address writes otherwise."""
    folder = tmp_path_factory.mktemp("first place") / "my clone"
    folder.mkdir()
    with_policy(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        tracker = opened()
        log(tracker, "first")
        Registry(tracker).register("first", {})
    return folder


@pytest.fixture
def elsewhere(original, tmp_path, monkeypatch):
    """A copy of it in another place, the current folder."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text("{}\n")
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content(folder):
    """Every file below a folder, with its hash."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def check(folder, original):
    """The record in a folder is whole, is written on, and leads nowhere else."""
    tracker = opened()
    registry = Registry(tracker)
    model, _ = registry.load(registry.version("1"))
    np.testing.assert_array_equal(
        model({"image": np.ones((1, 4, 4, 3), np.float32)}), [[0.5, 0.5]]  # two equal units
    )  # fmt: skip
    run = log(tracker, "second")
    place = folder / "mlartifacts" / run / "artifacts/note.txt"
    assert place.read_text() == "second"
    assert registry.register("second", {}) == "2"
    registry.load(registry.version("2"))
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as database:
        rows = "\n".join(database.iterdump())
    assert str(original) not in rows
    assert original.as_uri() not in rows


def test_a_copy_finds_its_record_and_never_writes_into_its_original(elsewhere, original, capsys):
    before = content(original)
    check(elsewhere, original)
    said = " ".join(capsys.readouterr().out.split())
    assert f"this clone stood in {original}" in said
    assert content(original) == before


def test_a_clone_that_was_moved_finds_its_record(elsewhere, tmp_path, original, monkeypatch):
    opened()
    moved = tmp_path.with_name("second place")
    tmp_path.rename(moved)
    monkeypatch.chdir(moved)
    check(moved, original)
    assert not tmp_path.exists()  # nothing was written to where it stood
    tmp_path.mkdir()


def test_a_record_without_its_artifacts_is_refused_and_not_written_to(elsewhere, original):
    before = content(original)
    shutil.rmtree(elsewhere / "mlartifacts")
    with pytest.raises(RecordError, match=r"expected them in mlartifacts; .* `make backfill`"):
        opened()
    assert not doctor.record().ok
    assert str(original) in doctor.record().message
    assert content(original) == before


def test_the_doctor_sees_that_a_clone_was_moved(elsewhere, original):
    found = doctor.record()
    assert str(original) in found.message
    assert "moved or copied" in found.message
    opened()
    assert (doctor.record().ok, "moved" in doctor.record().message) == (True, False)


def test_a_record_elsewhere_and_artifacts_with_a_place_of_their_own_are_left_alone(
    original, tmp_path, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    before = content(original)
    monkeypatch.chdir(tmp_path)
    Tracker(RecordSettings(tracking_uri=f"sqlite:///{original}/mlflow.db"))
    shutil.copy(original / "mlflow.db", tmp_path)
    own = str(original / "mlartifacts")
    Tracker(RecordSettings(artifacts=own))
    assert content(original) == before
    assert (tmp_path / "mlflow.db").read_bytes() == (original / "mlflow.db").read_bytes()


def test_programs_of_an_environment_that_was_moved_are_ill(tmp_path, monkeypatch):
    assert doctor.programs().ok
    for first in ("#!{}/python\n", "#!/bin/sh\n'''exec' '{}/python' \"$0\" \"$@\"\n' '''\n"):
        for place, ok in ((tmp_path, True), (tmp_path.with_name("first place"), False)):
            (tmp_path / "dvc").write_text(first.format(place))
            monkeypatch.setattr(doctor.sys, "executable", str(tmp_path / "python"))
            assert doctor.programs().ok is ok
    assert "delete .venv, then `make setup`" in doctor.programs().message
