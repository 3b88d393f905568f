"""A network, criterion, schedule and rule of one line each: the steps train and prune follow."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from slimderm.components.pruning.apply_step import LOG
from slimderm.flows.base.files import read_json
from slimderm.flows.config import layout
from slimderm.flows.config.choice import InputSize, StorageChoice

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# No Keras at import: every process of the environment runs this first.
ADDITION = """
from slimderm.components.pruning.acceptance import ACCEPTANCE, AcceptanceEntry
from slimderm.components.pruning.criteria.table import CRITERIA, CriterionEntry
from slimderm.components.pruning.method import PruningStep
from slimderm.components.pruning.schedules.base import chain
from slimderm.components.pruning.schedules.table import SCHEDULES, ScheduleEntry
from slimderm.components.pruning.verdict import Verdict
from slimderm.components.training.networks import NETWORKS
from slimderm.components.training.networks.network import ConvolutionStage, Network


def bias(inputs):
    import numpy as np

    for slot in inputs.graph.slots:
        if slot.variable is getattr(slot.layer, "bias", None):
            yield slot.labels, np.abs(np.asarray(slot.variable.value))


def twice(run_step, accept, settings):
    steps = [PruningStep(total=settings.ratio / 2), PruningStep(total=settings.ratio)]
    return chain(run_step, accept, list(zip(["half of it", "all of it"], steps)))


def tested(case):
    return Verdict("test_accuracy" in case.metrics, "the test part is all that counts")


NETWORKS["tiny"] = Network(
    name="tiny", stages=(ConvolutionStage(4, 3),), dense=(8, 12), tail=(), head=2
)
CRITERIA["bias"] = CriterionEntry(bias)
SCHEDULES["twice"] = ScheduleEntry(twice, tests_each_step=True)
ACCEPTANCE["tested"] = AcceptanceEntry(tested)
"""
RUN = """
from slimderm.flows.steps.compress import compress
from slimderm.flows.steps.ingest import ingest_dataset
from slimderm.flows.steps.prune import prune
from slimderm.flows.steps.split import split_lesions
from slimderm.flows.steps.synthesize import synthesize
from slimderm.flows.steps.train import train

if __name__ == "__main__":
    for step in (synthesize, ingest_dataset, split_lesions, compress):
        step.fn()
    train.fn("tiny")
    prune.fn("tiny")
"""
PARAMS = """
networks: [tiny]
synthetic: {num_lesions: 30, num_negatives: 0, height: 16, width: 16}
ingest: {source: data/source, negatives: null}
train: {epochs: 1, batch_size: 8, precision: float32}
evaluate: {bootstrap_samples: 100, latency_repeats: 3}
prune: {schedule: twice, ratio: 0.5, criterion: bias, init: inherit, acceptance: tested}
record: {workers: 1, cache: cache}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Run the steps where the lines are in the tables of every process, workers included."""
    folder = tmp_path_factory.mktemp("addition")
    (folder / "data").mkdir()
    StorageChoice("fixed", "as asked", 4, "jpeg", 90, []).save(folder / layout.CHOICE)
    InputSize("fixed", "as asked", 16, 16).save(folder / layout.INPUT_SIZE)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "sitecustomize.py").write_text(ADDITION)  # which Python imports first
    (folder / "run.py").write_text(RUN)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    subprocess.run([sys.executable, "run.py"], cwd=folder, env=environment, check=True)
    return folder


def biases(folder):
    model = keras.models.load_model(folder / "model.keras", compile=False)
    names = ("conv1", "dense1", "dense2")
    return {name: np.abs(model.get_layer(name).bias.numpy()) for name in names}


def test_the_step_train_trains_the_new_network(place):
    for variant in layout.VARIANTS:
        record = read_json(place / layout.baseline("tiny") / variant / "record.json")
        assert record["widths"]["convolutions"] == [4]
        assert 0 <= record["metrics"]["test_balanced_accuracy"] <= 1


def test_the_step_prune_follows_the_new_schedule_and_rule(place):
    kept = read_json(place / layout.pruned("tiny") / "steps.json")
    steps = kept["steps"]
    assert [step["notation"] for step in steps] == ["R0", "half of it", "all of it"]
    assert [step["widths"]["convolutions"] for step in steps] == [[4], [3], [2]]
    assert [step["widths"]["dense"] for step in steps] == [[8, 12], [6, 9], [4, 6]]
    assert all(step["verdict"]["accepted"] for step in steps)
    assert kept["smallest"]["notation"] == "all of it"


def test_the_step_prune_removes_the_channels_that_the_new_criterion_scores_least(place):
    folder = place / layout.pruned("tiny") / "steps"
    for number in (1, 2):
        parent = biases(folder / f"{number - 1:02d}")
        removed = read_json(folder / f"{number:02d}" / LOG)["removed"]
        for (name, values), count in zip(parent.items(), (1, 2, 3), strict=True):
            assert len(np.unique(values)) == len(values)  # no draw between equals
            assert sorted(removed[name]) == sorted(np.argsort(values)[:count].tolist())
