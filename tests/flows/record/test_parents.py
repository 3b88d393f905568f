"""What MLflow's list of runs says without opening a run: summary, data, person, sections."""

import hashlib
import json
import math
import os
from pathlib import Path

import keras
import mlflow
import numpy as np
import pytest

from slimderm.flows.base.files import write_json
from slimderm.flows.config import layout
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.runs import record_folder, record_network

DESCRIPTION = {"classes": ["a", "b"], "size": [1, 4], "variant": "original", "image_only": True}
SPLIT = """\
image_id,lesion_id,part,copy
1,l1,train,0
1,l1,train,1
2,l1,train,0
3,l2,validation,0
4,l3,test,0
"""
# Balanced accuracy on validation, parameters, bytes, accepted; None where nobody judges.
TRAININGS = {
    "compressed": (0.61, 900, 9000, None),
    "R1": (0.66, 500, 5000, True),
    "R2": (0.58, 200, 2600, True),
    "R3": (0.57, 200, 2500, True),
    "R4": (0.40, 100, 1500, False),
    "R3, seed +1": (0.70, 150, 2000, None),
}


@pytest.fixture
def tracker(empty_record, tmp_path, monkeypatch):
    """An empty record in a folder that holds a split and what dvc.lock says of the data."""
    for name in ("MLFLOW_TRACKING_URI", "PREFECT__FLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setattr("sys.argv", ["/of/slimderm/__main__.py", "demo", "--json"])
    monkeypatch.chdir(tmp_path)
    empty_record(tmp_path)
    Path("params.yaml").write_text("{}\n")
    layout.DATA.mkdir()
    layout.SPLITS.write_text(SPLIT)
    split = hashlib.md5(SPLIT.encode()).hexdigest()
    outs = {"data/raw": f"{'a' * 32}.dir", "data/compressed": f"{'b' * 32}.dir"}
    outs["data/splits.csv"] = split
    listed = [{"path": path, "md5": md5} for path, md5 in outs.items()]
    dvc_lock.write({"all": {"cmd": "none", "outs": listed}})
    return Tracker(RecordSettings(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"))


@pytest.fixture
def record(tracker, tmp_path):
    """Records a training by the figures of the table above."""
    image = keras.Input((4,), name="image")
    model = keras.Model({"image": image}, keras.layers.Dense(2, activation="softmax")(image))
    model.save(tmp_path / "model.keras")
    parent = record_network(tracker, "lenet5", "trainer")

    def record(name, accuracy, parameters, size, accepted, **more):
        folder = tmp_path / f"made/{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.keras").write_bytes((tmp_path / "model.keras").read_bytes())
        found = {"key": f"key of {name}", "network": "lenet5", "variant": "compressed"}
        found |= {"widths": {}, "num_parameters": parameters, "bytes": size}
        found |= {"metrics": {"validation_balanced_accuracy": accuracy}}
        if accepted is not None:
            found["verdict"] = {"accepted": accepted, "word": "w", "reason": "r"}
        write_json(folder / "record.json", found | more)
        record_folder(tracker, parent, name, folder, DESCRIPTION)
        return tracker.find(f"key of {name}")

    record.parent = parent
    return record


def held(tracker, parent):
    """The summary, computed from what the children hold."""
    query = f"tags.`mlflow.parentRunId` = '{parent}'"
    children = tracker.client.search_runs([tracker.experiment_id], query)
    best = max(run.data.metrics["validation/balanced_accuracy"] for run in children)
    accepted = [run.data for run in children if run.data.tags.get("accepted") == "true"]
    found = {"best/validation_balanced_accuracy": best}
    if not accepted:
        return found
    sizes = [(d.metrics["size/num_parameters"], d.metrics["size/bytes"]) for d in accepted]
    smallest = accepted[int(np.lexsort(np.array(sizes).T[::-1])[0])].metrics
    return found | {
        "smallest/num_parameters": smallest["size/num_parameters"],
        "smallest/bytes": smallest["size/bytes"],
        "smallest/validation_balanced_accuracy": smallest["validation/balanced_accuracy"],
    }


def test_a_parent_says_what_its_children_hold_and_follows_when_they_are_judged_anew(
    tracker, record
):
    for name, figures in TRAININGS.items():
        record(name, *figures)
        data = tracker.client.get_run(record.parent).data
        assert data.metrics == held(tracker, record.parent)
    assert data.metrics["best/validation_balanced_accuracy"] == 0.70
    assert (data.tags["notation"], data.tags["verdict"]) == ("R3", "accepted")
    assert data.tags["mlflow.note.content"] == (
        "Smallest accepted of 4 judged: R3, 200 parameters, 2,500 bytes. Balanced accuracy on "
        "validation: its own 0.570, best of all runs 0.700."
    )
    for name in ("R3", "R2"):  # by harder thresholds
        record(name, *TRAININGS[name][:3], False)
    data = tracker.client.get_run(record.parent).data
    assert data.metrics == held(tracker, record.parent)
    assert data.tags["notation"] == "R1"
    record("R1", *TRAININGS["R1"][:3], False)
    data = tracker.client.get_run(record.parent).data
    assert (data.tags["notation"], data.tags["verdict"]) == ("none", "none accepted")
    assert data.tags["mlflow.note.content"].startswith("None of 4 judged is accepted.")
    known = {name: value for name, value in data.metrics.items() if not math.isnan(value)}
    assert known == held(tracker, record.parent)
    assert {name for name in data.metrics if math.isnan(data.metrics[name])} == {
        "smallest/num_parameters",
        "smallest/bytes",
        "smallest/validation_balanced_accuracy",
    }


def test_a_summary_that_a_killed_process_left_out_is_made_by_the_next(tracker, record):
    record("R1", *TRAININGS["R1"])
    metrics = {"validation/balanced_accuracy": 0.9}
    with tracker.child(record.parent, "k", "R0", {}) as run:
        run.metrics(metrics)
    assert record_network(tracker, "lenet5", "trainer") == record.parent
    data = tracker.client.get_run(record.parent).data
    assert data.metrics["best/validation_balanced_accuracy"] == 0.9


def datasets(run):
    """Name without its split, context, digest, source and profile of each."""
    return {
        (each.dataset.name.split(",")[0], each.tags[0].value): each.dataset
        for each in run.inputs.dataset_inputs
    }


def test_the_data_of_a_run_stand_in_it_by_their_dvc_hash(tracker, record):
    found = datasets(record("R1", *TRAININGS["R1"]))
    split = hashlib.md5(SPLIT.encode()).hexdigest()
    compressed = [("compressed train", "training"), ("compressed validation", "validation")]
    rest = [("raw catalog.csv", "labels, metadata"), ("splits.csv", "split")]
    assert set(found) == {*compressed, *rest}  # nobody tested it
    assert {found[name].digest for name in compressed} == {f"{'b' * 32}.dir"}
    assert [found[name].digest for name in rest] == [f"{'a' * 32}.dir", split]
    assert split[:6] in found[compressed[0]].name
    counted = '{"images": 2, "augmented copies": 1, "lesions": 1}'
    assert found[compressed[0]].profile == counted
    tested = {"confusion": [[1, 0], [0, 1]], "classes": ["a", "b"]}
    tested |= {"metrics": {"validation_balanced_accuracy": 0.66, "test_balanced_accuracy": 0.5}}
    found = datasets(record("R1", *TRAININGS["R1"], **tested))
    assert ("compressed test", "test") in found
    parent = tracker.client.get_run(record.parent)
    assert {("raw train", "training"), ("compressed test", "test")} <= set(datasets(parent))
    (source,) = (
        mlflow.data.get_source(each)
        for each in parent.inputs.dataset_inputs
        if each.dataset.name == "splits.csv"
    )
    assert Path(source.load()).read_text() == SPLIT


def test_every_run_says_who_made_it_and_where_and_its_name_is_its_own(tracker, record, monkeypatch):
    run = record("R1", *TRAININGS["R1"])
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bob")
    with tracker.child(record.parent, "key of R1", "lenet5 R1", {}):  # the same step, at once
        pass
    runs = tracker.client.search_runs([tracker.experiment_id])
    named = [each.info.run_name for each in runs]
    assert len(set(named)) == len(named) == 3
    assert run.info.run_name == "lenet5 R1 (ada, key of)"
    assert "lenet5 R1 (bob, key of)" in named
    for each in runs:
        tags = each.data.tags
        assert tags["mlflow.user"] in ("ada", "bob")
        assert tags["host"] == os.uname().nodename
        assert tags["mlflow.source.name"] == "slimderm demo"
        assert tags["mlflow.source.type"] == "LOCAL"


def test_the_list_of_runs_has_a_view_whose_columns_are_those_that_runs_have(tracker, record):
    record("R1", *TRAININGS["R1"])
    tags = tracker.client.get_experiment(tracker.experiment_id).tags
    columns = json.loads(tags["mlflow.sharedViewState.results"])["selectedColumns"]
    assert "viewStateShareKey=results" in tags["mlflow.note.content"]
    data = tracker.client.get_run(record.parent).data
    own = {f"metrics.`{name}`" for name in data.metrics} | {f"tags.`{name}`" for name in data.tags}
    assert {name for name in columns if not name.startswith("attributes.")} <= own
    tracker.client.set_experiment_tag(tracker.experiment_id, "mlflow.note.content", "mine")
    record_network(tracker, "lenet5", "trainer")  # leaves what a person wrote
    tags = tracker.client.get_experiment(tracker.experiment_id).tags
    assert tags["mlflow.note.content"] == "mine"


def test_a_colleagues_run_of_the_same_step_is_not_closed(tracker, monkeypatch):
    parent = tracker.parent("p", "lenet5", {})
    with tracker.child(parent, "k", "R1", {}) as first:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bob")
        with tracker.child(parent, "k", "R1", {}):
            pass
        assert tracker.client.get_run(first.run_id).info.status == "RUNNING"
    assert tracker.find("k").info.run_id == first.run_id  # the older of two


def test_two_who_make_a_parent_at_once_share_the_older(tracker, monkeypatch):
    find, own = tracker.find, []

    def meanwhile(key):
        """The first answer comes before a colleague makes the parent, too."""
        if own:
            return find(key)
        own.append(None)
        colleague = Tracker(tracker.settings)
        own[0] = colleague.parent(key, "lenet5", {})
        return None

    monkeypatch.setattr(tracker, "find", meanwhile)
    assert tracker.parent("p", "lenet5", {}) == own[0]
    assert len(tracker.client.search_runs([tracker.experiment_id])) == 1
