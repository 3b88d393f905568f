"""What leads from a run to its code, and the verdict of a training that is judged again."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import keras
import pandas as pd
import pytest

from slimderm.flows.base.files import write_json
from slimderm.flows.config import layout
from slimderm.flows.config.choice import StorageChoice
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.lineage import lineage, made_of
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.provenance import provenance_tags
from slimderm.flows.record.runs import record_files, record_folder


def git(*arguments):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def clone(folder):
    git("init", "-q", "-b", "main")
    for name in ("code.py", "params.yaml", "dvc.lock"):
        Path(name).write_text("a: 1\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    return folder


def test_lineage_names_the_commit_and_says_when_code_differs_from_it(clone):
    commit = git("rev-parse", "HEAD")
    own = {"mlflow.source.git.commit": commit, "mlflow.source.git.branch": "main"}
    assert provenance_tags() == own | {"git.dirty": "false"}
    for name in ("params.yaml", "dvc.lock"):  # as runs write them
        Path(name).write_text("{}\n")
    Path("note.txt").touch()
    assert provenance_tags()["git.dirty"] == "false"
    Path("code.py").write_text("a: 2\n")
    assert provenance_tags()["git.dirty"] == "true"


def test_without_a_clone_or_a_flow_there_is_nothing_to_name():
    assert provenance_tags() == {}


def test_what_a_worker_started_names_its_flow_run(monkeypatch):
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "agents-own")
    own = {"prefect.flow_run": "agents-own", "prefect.root_flow_run": "agents-own"}
    assert provenance_tags() == own
    monkeypatch.setenv("SLIMDERM_ROOT_FLOW_RUN", "pipelines")
    assert provenance_tags() == own | {"prefect.root_flow_run": "pipelines"}


DESCRIPTION = {"classes": ["a", "b"], "size": [1, 4], "variant": "original", "image_only": True}
VERDICT = {"accepted": True, "word": "accepted", "reason": "validation_accuracy 0.8200 >= 0.8000"}
HARDER = {"accepted": False, "word": "refused", "reason": "validation_accuracy 0.8200 < 0.9000"}


@pytest.fixture
def training(empty_record, folder):
    """A finished training, whose verdict `judge` writes, and the tracker that records it."""
    image = keras.Input((4,), name="image")
    model = keras.Model({"image": image}, keras.layers.Dense(2, activation="softmax")(image))
    empty_record(folder)
    (folder / "step").mkdir()
    (folder / "params.yaml").write_text("{}\n")
    model.save(folder / "step/model.keras")
    history = {"epoch": [1, 2], "train_accuracy": [0.5, 0.6], "validation_accuracy": [0.5, 0.6]}
    pd.DataFrame(history).to_csv(folder / "step/history.csv", index=False)
    tracker = Tracker(RecordSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    parent = tracker.parent("parent", "lenet5", {})

    def judge(name, verdict, **tested):
        record = {"key": "k", "network": "lenet5", "variant": "compressed", "widths": {}}
        record |= {"metrics": {"validation_accuracy": 0.82, **tested}}
        write_json(folder / "step/record.json", record | verdict)
        record_folder(tracker, parent, name, folder / "step", DESCRIPTION)
        query = f"tags.`mlflow.parentRunId` = '{parent}' and tags.`slimderm.key` = 'k'"
        (run,) = tracker.client.search_runs([tracker.experiment_id], query)
        kept = tracker.client.download_artifacts(run.info.run_id, "record.json")
        return run.data.tags | run.data.metrics, Path(kept).read_text()

    return judge


def test_a_training_judged_by_other_thresholds_stays_one_run_with_the_new_verdict(training):
    tags, kept = training("R1", {"verdict": VERDICT})
    assert (tags["accepted"], tags["verdict"]) == ("true", "accepted")
    assert tags["verdict.reason"] == VERDICT["reason"]
    tags, kept = training("R1", {"verdict": HARDER})
    assert (tags["accepted"], tags["verdict"]) == ("false", "refused")
    assert tags["verdict.reason"] == HARDER["reason"]
    assert HARDER["reason"] in kept


def test_a_training_judged_on_the_test_part_later_gets_those_figures(training):
    known, _ = training("R1", {"verdict": VERDICT})
    assert "test/accuracy" not in known
    known, kept = training("R1", {"verdict": VERDICT}, test_accuracy=0.75)
    assert known["test/accuracy"] == 0.75
    assert "test_accuracy" in kept


def test_the_baseline_from_which_pruning_starts_stays_the_baselines_run(training):
    before = training("compressed", {})
    assert training("R0", {"verdict": VERDICT}) == before


def test_a_training_carries_what_it_was_asked_for_and_what_led_to_it(training, folder):
    (folder / "params.yaml").write_text("train: {epochs: 3, seed: 7}\nprune: {factors: [25]}\n")
    StorageChoice("x", "", 40, "jpeg", 95, []).save(folder / layout.CHOICE)
    write_json(folder / "step/made.json", {"mlflow.source.git.commit": "then", "dvc.raw": "old"})
    tags, _ = training("R1", {"verdict": VERDICT})
    assert (tags["mlflow.source.git.commit"], tags["dvc.raw"]) == ("then", "old")
    tracker = Tracker(RecordSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    params = tracker.find("k").data.params
    assert (params["train.epochs"], params["train.seed"]) == ("3", "7")
    assert params["prune.factors"] == "(25.0,)"
    assert (params["images.k"], params["images.codec"]) == ("40", "jpeg")
    assert "images.rule" not in params


def test_a_folder_is_recorded_once_for_the_same_content(empty_record, folder):
    empty_record(folder)
    params = SimpleNamespace(record=RecordSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    write_json(folder / "studies/a/runs.json", [1])
    for _ in range(2):
        record_files(params, "studies", "a", folder / "studies/a")
    tracker = Tracker(params.record)
    runs = tracker.client.search_runs([tracker.experiment_id])
    names = sorted(run.info.run_name for run in runs)
    assert [name.split(" (")[0] for name in names] == ["a", "studies"]
    (own,) = (run for run in runs if run.info.run_name.startswith("a ("))
    assert [file.path for file in tracker.client.list_artifacts(own.info.run_id)] == ["runs.json"]


def test_lineage_leads_back_by_hash_and_id_and_by_nothing_else(empty_record, folder, with_policy):
    empty_record(folder)
    tracker = Tracker(RecordSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    tags = {"network": "lenet5", "dvc.raw": "abcd1234.dir", "prefect.root_flow_run": "77-88"}
    tags |= {"mlflow.user": "grace", "mlflow.source.git.branch": "release"}
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", tags) as run:
        run.params({"epochs": 7788, "network": "lenet5"})
    with_policy(Path.cwd())
    tracker.client.create_registered_model("slimderm")
    found = run.run_id
    tracker.client.create_model_version("slimderm", "none", found)
    for mark in ("abcd", "77-8", found[:6]):
        assert [version.run_id for version in made_of(tracker, mark)] == [found]
    (version,) = made_of(tracker, "abcd")
    shown = lineage(tracker, version)
    assert (shown["made by"], shown["git branch"]) == ("grace", "release")
    for mark in ("lenet5", "7788", "slimderm", "params", "grace", "release"):
        assert made_of(tracker, mark) == []
