"""A study through DVC: every arm side by side, killed and resumed, and on CIFAR-100's files."""

import os
import pickle
import signal
import time

import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(1800)]

STUDY = """
studies:
  methods:
    network: lenet5
    variants: [compressed, reencoded]
    arms: [paper, l1 inherit global, masks global, control]
    ratios: [0.5]
    epochs: 1
    fine_tune_epochs: 1
  seed:
    network: lenet5
    arms: [l1 inherit]
    schedules: [one_shot, iterative, layerwise]
    num_steps: 2
    ratios: [0.5]
    epochs: 1
    fine_tune_epochs: 2
    similarity: true
"""


def trainings(workspace):
    found = (workspace.folder / ".cache/slimderm").glob("??/[!.]*/model.keras")
    return {path: path.stat().st_mtime_ns for path in found}


def check_schedules(folder):
    """The schedules of one arm make networks of the same size in as many epochs."""
    same = pd.read_csv(folder / "cka_same_place.csv")
    assert len(same) == 6  # pairs of unpruned and three schedules
    assert same["cka"].between(-0.2, 1.0001).all()
    assert (folder / "features_l1_inherit_local_50.png").stat().st_size > 10_000
    widths = pd.read_csv(folder / "runs.csv").set_index("schedule")["num_parameters"]
    assert widths["one_shot"] == widths["iterative"] == widths["layerwise"]
    history = pd.read_csv(folder / "history.csv", keep_default_na=False)
    places = history.groupby("schedule")[["cut", "epoch"]].agg(list)
    assert places.loc["one_shot"].to_list() == [[1, 1], [1, 2]]
    assert places.loc["iterative"].to_list() == [[1, 2], [1, 2]]  # an epoch after each cut
    assert places.loc["layerwise"].to_list() == [[1, 2], [1, 2]]


@pytest.fixture
def workspace(made_workspace, tiny):
    """A clone in which all but the studies is made."""
    made = made_workspace()
    (made.folder / "params.yaml").write_text(tiny.replace("studies: {}\n", STUDY))
    return made


def test_a_study_that_is_killed_goes_on_and_compares_what_it_trained(workspace):
    known = len(trainings(workspace))
    with workspace.start("python", "-m", "slimderm.flows.steps", "study", "methods") as process:
        deadline = time.monotonic() + 200
        while len(trainings(workspace)) < known + 3:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    before = trainings(workspace)
    assert set(workspace.repro("study")) == {"study@methods", "study@seed"}
    after = trainings(workspace)
    assert {path: after[path] for path in before} == before
    assert workspace.repro("study") == []

    folder = workspace.folder / "data/studies/methods"
    runs = pd.read_csv(folder / "runs.csv")
    assert len(runs) == 2 * (1 + 4)
    sizes = runs[runs["variant"] == "compressed"].set_index(["arm", "ratio"])["num_parameters"]
    whole = sizes["unpruned", 0.0]
    assert sizes["masks global", 0.5] == sizes["control", 0.5] == whole
    assert sizes["l1 inherit global", 0.5] <= sizes["paper", 0.5] < whole / 2
    differences = pd.read_csv(folder / "differences.csv")
    cost = "what pruning cost on"
    other = {name: {name, f"{cost} {name}"} for name in ("compressed", "reencoded")}
    assert set(differences["against"]) == {
        *("unpruned", "control"),
        *other["compressed"],
        *other["reencoded"],
    }
    keys = ["variant", "method", "ratio", "against"]
    gap = differences.set_index(keys)["balanced_accuracy"]
    place = ("compressed", "paper", 0.5)
    mine = gap[*place, "unpruned"] - gap["reencoded", *place[1:], "unpruned"]
    assert gap[*place, f"{cost} reencoded"] == pytest.approx(mine)
    assert "against" in (folder / "differences_compressed.md").read_text()
    assert (folder / "fronts_variants.png").stat().st_size > 10_000
    summary = pd.read_csv(folder / "summary.csv")
    assert (summary["balanced_accuracy_low"] <= summary["balanced_accuracy"]).all()
    assert (folder / "fronts_compressed.png").stat().st_size > 10_000
    history = pd.read_csv(folder / "history.csv", keep_default_na=False)
    assert len(history) == len(runs)  # an epoch each
    assert set(map(tuple, history[["variant", "arm"]].values)) == set(
        map(tuple, runs[["variant", "arm"]].values)
    )
    assert (folder / "curves_reencoded.png").stat().st_size > 10_000
    check_schedules(workspace.folder / "data/studies/seed")


def test_a_study_of_cifar_100(make_workspace, tiny, tmp_path):
    random = np.random.default_rng(0)
    for part, number in (("train", 300), ("test", 100)):
        content = {
            b"data": random.integers(0, 256, (number, 3072), np.uint8),
            b"fine_labels": [index % 100 for index in range(number)],
        }
        (tmp_path / part).write_bytes(pickle.dumps(content, protocol=2))
    names = [f"class{index}".encode() for index in range(100)]
    (tmp_path / "meta").write_bytes(pickle.dumps({b"fine_label_names": names}, protocol=2))
    study = f"""
studies:
  cifar:
    network: vgg16
    cifar: {tmp_path}
    arms: [l1 inherit]
    schedules: [one_shot]
    ratios: [0.9]
    epochs: 1
    fine_tune_epochs: 1
"""
    workspace = make_workspace(tiny.replace("studies: {}\n", study))
    workspace.run("python", "-m", "slimderm.flows.steps", "study", "cifar")
    runs = pd.read_csv(workspace.folder / "data/studies/cifar/runs.csv")
    assert runs["num_parameters"].iloc[1] < 0.02 * runs["num_parameters"].iloc[0]
    assert "melanoma_sensitivity" not in runs
