"""The prune step by each of its schedules, trained for real, and its record in MLflow."""

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml

from slimderm.components.evaluation.metrics import classification_metrics
from slimderm.components.pruning.apply_step import LOG
from slimderm.components.pruning.method import PruningStep
from slimderm.components.pruning.replay import replay
from slimderm.components.pruning.schedules.base import StepResult
from slimderm.components.pruning.verdict import Verdict
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.config import layout
from slimderm.flows.config.choice import InputSize, StorageChoice
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.steps.compress import compress
from slimderm.flows.steps.ingest import ingest_dataset
from slimderm.flows.steps.prune import prune
from slimderm.flows.steps.split import split_lesions
from slimderm.flows.steps.study import study
from slimderm.flows.steps.synthesize import synthesize
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.step_runner import StepRunner
from slimderm.flows.work.training import Trainer

pytestmark = pytest.mark.slow

PARAMS = """\
networks: [lenet5]
synthetic: {num_lesions: 30, num_negatives: 4, height: 24, width: 32}
ingest: {source: data/source, negatives: data/source/negatives}
train: {epochs: 1, batch_size: 8, precision: float32}
evaluate: {bootstrap_samples: 100, latency_repeats: 3}
record: {workers: 1}
"""
KEPT = Path("models/lenet5/pruned")
SHRUNK = "l1 inherit local"
WHOLE = [6, 16, 84, 120]


@pytest.fixture(scope="module", autouse=True)
def workspace(tmp_path_factory):
    """A few lesions, compressed, and the network trained on them unpruned."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "params.yaml").write_text(PARAMS)
    StorageChoice("fixed", "as asked", 5, "jpeg", 90, []).save(folder / layout.CHOICE)
    InputSize("fixed", "as asked", 24, 24).save(folder / layout.INPUT_SIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        for step in (synthesize, ingest_dataset, split_lesions, compress):
            step.fn()
        trainer = Trainer(read_params(), "lenet5", LesionSource(read_params(), "compressed"))
        unpruned = trainer.tested(trainer.fit("unpruned")).full_record
        write_json(folder / "models/lenet5/baseline/original/record.json", unpruned)
        yield folder


def write_params(**sections):
    Path("params.yaml").write_text(PARAMS + yaml.safe_dump(sections))


def pruned(**settings):
    """Run the step; return what it kept of each network."""
    accepting = {"acceptance": "relative", "relative_tolerance": 1.0, "relative_floor": 0.0}
    write_params(prune=accepting | settings)
    prune.fn("lenet5")
    return read_json(KEPT / "steps.json")["steps"]


def widths(step):
    """Filters of both convolutions, and units of the two dense layers that may shrink."""
    return [*step["widths"]["convolutions"], *step["widths"]["dense"][:2]]


def split_line(line):
    return [cell.strip() for cell in line.split("|")]


def model_of(step):
    return keras.models.load_model(KEPT / step["folder"] / "model.keras", compile=False)


def test_algorithm_2_goes_on_from_what_it_accepts_until_nothing_can_shrink():
    steps = pruned(factors=[75], floors={"conv*": 3, "dense*": 20})
    assert [(step["notation"], step["parent"]) for step in steps] == [
        ("R0", None), ("R1: 75%", "R0"), ("R2: 75%", "R1: 75%")
    ]  # fmt: skip
    assert [widths(step) for step in steps] == [WHOLE, [3, 4, 21, 30], [3, 3, 20, 20]]
    assert [step["stopped"] for step in steps] == ["", "", "nothing can shrink any more"]
    assert read_json(KEPT / "steps.json")["smallest"]["notation"] == "R2: 75%"


def test_one_shot_keeps_a_budget_and_the_weights_and_mlflow_holds_the_log_that_replays():
    whole, step = pruned(
        schedule="one_shot",
        budget={"parameters": 9000},
        criterion="taylor",
        scope="global",
        init="inherit",
        fine_tune_epochs=2,
        fine_tune_learning_rate=1e-12,
        data_batches=2,
    )
    assert 0.9 * 9000 < step["num_parameters"] <= 9000
    assert len(pd.read_csv(KEPT / step["folder"] / "history.csv")) == 2
    tracker = Tracker(read_params().record)
    run = tracker.find(step["key"])
    assert run.data.metrics["size/num_parameters"] == step["num_parameters"]
    log = json.loads(Path(tracker.client.download_artifacts(run.info.run_id, LOG)).read_text())
    replayed, trained = replay(model_of(whole), log), model_of(step)
    assert replayed.count_params() == step["num_parameters"]
    # Trained so slowly that only the statistics of normalisation move.
    for ours, theirs in zip(trained.trainable_weights, replayed.trainable_weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6, err_msg=ours.path)


def test_what_has_no_effect_is_said_trains_nothing_anew_and_is_not_on_record(capsys):
    path = {"schedule": "path", "path": ["R1: 75%"]}
    before = pruned(**path)
    capsys.readouterr()
    after = pruned(**path, aggregate="sum", num_steps=7, fine_tune_epochs=9)
    said = capsys.readouterr().out
    assert [step["key"] for step in after] == [step["key"] for step in before]
    for name, reason in (
        ("aggregate", "init scratch and scope local"),
        ("num_steps", "schedule path"),
        ("fine_tune_epochs", "init scratch"),
    ):
        assert f"prune: prune.{name} has no effect with {reason}\n" in said
    assert said.count("no effect") == 3
    logged = Tracker(read_params().record).find(after[-1]["key"]).data.params
    assert "prune.path" in logged
    assert not {"prune.criterion", "prune.aggregate", "prune.ratio"} & logged.keys()


def test_iterative_takes_the_same_share_of_what_is_left_each_time():
    steps = pruned(schedule="iterative", ratio=0.75, num_steps=2, spacing="geometric")
    assert [widths(step) for step in steps] == [WHOLE, [3, 8, 42, 60], [1, 4, 21, 30]]
    parameters = [step["num_parameters"] for step in steps]
    assert parameters == [model_of(step).count_params() for step in steps]
    assert parameters == sorted(parameters, reverse=True)
    assert steps[-1]["stopped"] == "all pruning steps are done"


def test_layerwise_cuts_one_layer_a_step():
    steps = pruned(schedule="layerwise", ratio=0.5, keep=["conv*"])
    assert [widths(step) for step in steps] == [WHOLE, [6, 16, 42, 120], [6, 16, 42, 60]]
    assert [step["parent"] for step in steps] == [None, "R0", steps[1]["notation"]]


def first_pruning(init, seed):
    """R0 and half of it, by a runner of one training seed."""
    params = replace(read_params(), train=replace(read_params().train, seed=seed))
    trainer = Trainer(params, "lenet5", LesionSource(params, "compressed"))
    method = params.prune.method(("metadata*",), seed)
    runner = StepRunner(trainer, replace(method, criterion="l1", init=init), params.train)
    unpruned = runner(None, None, "R0")
    start = StepResult(0, "R0", None, None, unpruned, Verdict(True, ""))
    return unpruned, runner(PruningStep(percent=50), start, "R1: 50%")


def test_another_seed_is_what_the_schedule_would_have_trained_by_it():
    write_params(prune={})
    unpruned, half = first_pruning("inherit", 0)
    other_unpruned, other_half = first_pruning("inherit", 1)
    assert unpruned.again(1).trained.key == other_unpruned.trained.key != unpruned.trained.key
    assert half.again(1).trained.key == other_half.trained.key


def test_another_seed_gives_the_same_network_other_fresh_weights():
    write_params(prune={})
    _, fresh = first_pruning("scratch", 0)
    again = fresh.again(1)
    assert again.sizes == fresh.sizes
    kernels = [run.trained.load().get_layer("conv1").kernel.numpy() for run in (fresh, again)]
    assert not np.array_equal(*kernels)


def test_what_a_training_predicts_on_validation_is_kept_beside_it():
    write_params(prune={})
    trained = first_pruning("scratch", 0)[1].trained
    kept = trained.validation
    own = classification_metrics(kept["labels"], kept["probabilities"])
    for name, value in own.items():
        assert trained.metrics[f"validation_{name}"] == pytest.approx(value)
    rows = LesionSource(read_params(), "compressed").rows("validation")
    assert list(kept["lesions"]) == list(rows["lesion_id"].astype(str))


def test_noninferior_compares_by_seeds_and_the_word_is_on_record(capsys):
    settings = {"schedule": "path", "path": ["R1..R2: 50%"], "confidence": 0.8, "max_seeds": 2}
    write_params(prune=settings | {"acceptance": "noninferior"})
    prune.fn("lenet5")
    found = read_json(KEPT / "steps.json")
    unpruned, first, second = (step["verdict"] for step in found["steps"])
    # By one epoch R0 may be at chance; so few images can tell nothing of the others either way.
    assert unpruned["word"] in {"reference", "refused"}
    assert first["word"] == second["word"] == "inconclusive"
    assert ("2 training seeds" in first["reason"]) == unpruned["accepted"]
    assert "order along a branch is fixed" in second["reason"]
    shown = " ".join(capsys.readouterr().out.split())
    assert f"prune: lenet5: {found['power']}" in shown
    assert " lesions, can resolve 0.05 of balanced accuracy with probability 0.0" in shown
    assert "lenet5 R1: 50% inconclusive" in shown
    run = Tracker(read_params().record).find(found["steps"][1]["key"])
    assert (run.data.tags["accepted"], run.data.tags["verdict"]) == ("false", "inconclusive")
    assert (KEPT / found["steps"][1]["folder"] / "validation.npz").exists()
    tried = ["R1: 50%, seed +1", "R0, seed +1"] if unpruned["accepted"] else []
    assert [other["notation"] for other in found["seeds"]] == tried
    for other in found["seeds"]:
        run = Tracker(read_params().record).find(other["key"])
        assert run.info.run_name.startswith(f"lenet5 {other['notation']} (")
        assert "accepted" not in run.data.tags


def test_a_study_shows_the_zeros_of_masks_beside_what_did_not_shrink():
    arms = {"arms": ["l1 inherit", "masks local"], "ratios": [0.5], "similarity": True}
    write_params(studies={"methods": arms | {"epochs": 1, "fine_tune_epochs": 1}})
    study.fn("methods")
    runs = pd.read_csv("data/studies/methods/runs.csv").set_index("arm")
    (file,) = Path(".cache/slimderm").glob(f"*/{runs['key']['masks local']}/model.keras")
    trained = keras.models.load_model(file, compile=False)
    kernels = {one.path: one.numpy() for one in trained.weights if one.name == "kernel"}
    whole = ("head", "metadata")
    masked = [one for path, one in kernels.items() if not path.startswith(whole)]
    weights = sum(one.size for one in kernels.values())
    zeros = sum(int((one == 0).sum()) for one in kernels.values()) / weights
    assert zeros == pytest.approx(sum(round(0.5 * one.size) for one in masked) / weights)
    assert runs["sparsity"]["masks local"] == pytest.approx(zeros)
    assert runs["sparsity"][["unpruned", SHRUNK]].isna().all()
    for cost in ("num_parameters", "multiply_accumulates"):
        assert runs[cost]["masks local"] == runs[cost]["unpruned"] > runs[cost][SHRUNK]
    summary = pd.read_csv("data/studies/methods/summary.csv").set_index("method")
    assert summary["sparsity"]["masks local"] == pytest.approx(zeros)
    head, _, *lines = Path("data/studies/methods/table_compressed.md").read_text().splitlines()
    shown = {cells[1]: cells for cells in map(split_line, [head, *lines])}
    column = shown["method"].index("zero weights")
    assert shown["masks local"][column] == f"{zeros:.1%}"
    assert shown[SHRUNK][column] == shown["unpruned"][column] == ""
    same = pd.read_csv("data/studies/methods/cka_same_place.csv").set_index("arm")["cka"]
    assert set(same.index) == {SHRUNK, "masks local"}
    assert same.notna().all()
    for picture in ("cka_l1_inherit_local_50", "cka_masks_local_50", "features_masks_local_50"):
        assert Path(f"data/studies/methods/{picture}.png").stat().st_size > 10_000
