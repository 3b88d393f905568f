"""Inputs of a stage that a failing disk changed, their time and size kept, where DVC is content."""

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from slimderm.components.common.errors import RecordError
from slimderm.flows.record import data_versions, dvc_lock, inputs
from slimderm.flows.record.dvc_repository import described, opened
from slimderm.flows.record.inputs import check_inputs, steady_inputs

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # as DVC reads it

MAKE = "mkdir -p data/raw/images && for file in {}; do printf $file > data/$file; done"
FILES = ("splits.csv", "aside.csv", "raw/catalog.csv", "raw/images/1.jpg")
STAGES = {
    "make": {
        "cmd": MAKE.format(" ".join(FILES)),
        "deps": ["code.py"],
        "outs": ["data/splits.csv", "data/aside.csv", "data/raw"],
    },
    "train": {
        "foreach": ["lenet5"],
        "do": {
            "cmd": "mkdir -p models/${item} && echo 1 > models/${item}/record.json",
            "deps": ["data/raw", "data/splits.csv", "${ingest.source}"],
            "outs": ["models/${item}"],
        },
    },
    "review": {"cmd": "echo", "deps": ["models", "data/raw/images"]},
}


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A repository whose stages have run."""
    from dvc.repo import Repo

    folder = tmp_path_factory.mktemp("reproduced")
    with contextlib.chdir(folder):
        Repo.init(no_scm=True).close()
        Path("code.py").touch()
        Path("own").mkdir()
        Path("params.yaml").write_text("ingest: {source: own, negatives: null}")
        Path("dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
        subprocess.run(["dvc", "repro", "-q"], check=True)
    return folder


@pytest.fixture(autouse=True)
def repository(reproduced, tmp_path, monkeypatch):
    """A copy of it, in which DVC knows every file by its time and size."""
    subprocess.run(["cp", "-a", f"{reproduced}/.", tmp_path], check=True)
    monkeypatch.chdir(tmp_path)
    for stage in ("make", "train@lenet5", "review"):
        check_inputs(stage)
        assert not dvc_lock.is_stale(stage)


@pytest.mark.parametrize("stage", ["make", "train@lenet5", "review"])
def test_a_stage_is_described_as_dvc_reads_it(stage):
    with opened() as repo:
        known = repo.stage.load_one(name=stage)
    found = described(stage)
    assert found["cmd"] == known.cmd
    assert found.get("deps", []) == [dep.def_path for dep in known.deps]


def test_a_stage_that_dvc_yaml_does_not_make_is_refused():
    with pytest.raises(RecordError, match=r"received 'train@alexnet', expected one that dvc.yaml"):
        described("train@alexnet")


def rot(path):
    """Change a byte of a file in place."""
    path, before = Path(path), Path(path).stat()
    path.chmod(0o644)
    path.write_bytes(b"~" + path.read_bytes()[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("data/splits.csv", "train@lenet5"),
        ("data/raw/catalog.csv", "train@lenet5"),
        ("models/lenet5/record.json", "review"),
    ],
)
def test_an_input_that_rotted_is_named(file, stage):
    rot(file)
    assert not dvc_lock.is_stale(stage)
    with pytest.raises(RecordError, match=rf"{file}: received .* `make doctor`"):
        check_inputs(stage)


@pytest.mark.parametrize("shared", [False, True], ids=["own cache", "another clone's"])
def test_a_folders_list_that_rotted_is_named(shared, tmp_path):
    if shared:
        elsewhere = tmp_path / "elsewhere/.dvc"
        elsewhere.mkdir(parents=True)
        Path(".dvc/cache").rename(elsewhere / "cache")
        data_versions.share_cache(elsewhere.parent)
    (md5,) = dvc_lock.output_hashes("data/raw").values()
    rot(next(tmp_path.rglob(f"{md5[:2]}/{md5[2:]}")))
    with pytest.raises(RecordError, match=r"`make doctor`.*then delete data/raw"):
        check_inputs("train@lenet5")


def test_what_a_stage_does_not_read_and_images_are_not_its_concern():
    rot("data/aside.csv")
    rot("data/raw/images/1.jpg")  # checked against its table by whoever reads it
    check_inputs("train@lenet5")
    rot("data/raw/catalog.csv")
    check_inputs("review")
    check_inputs("make")


def test_what_is_not_recorded_or_not_there_is_left_to_dvc():
    Path("data/splits.csv").unlink()
    check_inputs("train@lenet5")
    rot("data/raw/catalog.csv")
    Path("dvc.lock").unlink()
    check_inputs("train@lenet5")


def test_parameters_or_code_edited_meanwhile_are_not_recorded(tmp_path):
    Path("params.yaml").write_text("train: {epochs: 2, seed: 1}\nsplit: {seed: 0}")
    described = {"cmd": "echo", "params": ["train", "split.seed"], "deps": ["flows/steps/split.py"]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"split": described}}))
    with steady_inputs("split"):
        Path("params.yaml").write_text("train: {seed: 1, epochs: 2}\nsplit: {seed: 0, test: 5}")
    found = pytest.raises(RecordError, match=r"train in params.yaml changed while it ran")
    with found, steady_inputs("split"):
        Path("params.yaml").write_text("train: {seed: 1, epochs: 3}\nsplit: {seed: 0}")
    found = pytest.raises(RecordError, match=r"split.seed in params.yaml changed while it ran")
    with found, steady_inputs("split"):
        Path("params.yaml").write_text("train: {seed: 1, epochs: 3}\nsplit: {seed: 5}")


def test_an_edited_source_is_not_recorded(monkeypatch):
    described = {"cmd": "echo", "deps": ["flows/steps/split.py", "components/dataset"]}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"split": described}}))
    seen = iter(["a", "b", "a", "c"])
    monkeypatch.setattr(inputs, "sources_hash", lambda place: next(seen))
    found = pytest.raises(RecordError, match=r"components/dataset changed while it ran")
    with found, steady_inputs("split"):
        pass
