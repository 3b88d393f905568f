"""A recipe through DVC: its files, its ledger, its runs in MLflow, its version, and its end."""

import json
import os
import shutil
import signal
import time

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest

from slimderm import load_slim

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(1800)]

RECIPE = """
slim:
  small:
    network: lenet5
    start: smallest
    passes:
      - {pass: sparsify, ratio: 0.5, steps: 1}
      - {pass: share, bits: 3, epochs: 1}
"""


@pytest.fixture(scope="module")
def workspace(made_workspace, tiny):
    made = made_workspace()
    (made.folder / "params.yaml").write_text(tiny.replace("slim: {}\n", RECIPE))
    made.output = made.run("python", "-m", "slimderm", "run").stdout
    return made


@pytest.fixture(scope="module")
def recipe(workspace):
    return json.loads((workspace.folder / "models/slim/small/recipe.json").read_text())


def test_every_network_lies_there_with_its_file(workspace, recipe):
    folder = workspace.folder / "models/slim/small"
    start, sparse, shared = recipe["passes"]
    pruned = json.loads((workspace.folder / "models/lenet5/pruned/steps.json").read_text())
    assert start["key"] == pruned["smallest"]["key"]
    means = {}
    for record in (start, sparse, shared):
        model = keras.models.load_model(folder / record["folder"] / "model.keras", compile=False)
        again = load_slim(folder / record["folder"] / "model.slim")
        for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
            assert ours.tobytes() == theirs.tobytes()
        kernels = [weight.value.numpy() for weight in model.weights if weight.name == "kernel"]
        zeros = sum((kernel == 0).sum() for kernel in kernels) / sum(map(np.size, kernels))
        if record is not start:
            assert zeros == pytest.approx(0.5, abs=0.01)
        means[record["folder"]] = [
            weight.value.numpy() for weight in model.weights if weight.name == "moving_mean"
        ]
        if record is shared:
            assert all(len(np.unique(kernel)) <= 8 for kernel in kernels)
    # Of a pass that trains nothing, too, the statistics are those of its own network.
    before, after = (np.concatenate(means[each["folder"]]) for each in (start, sparse))
    assert not np.allclose(before, after, rtol=1e-3)


def test_the_ledger_counts_them(workspace, recipe):
    ledger = pd.read_csv(workspace.folder / "models/slim/small/ledger.csv")
    assert list(ledger["notation"]) == ["small: start", "small: sparsify", "small: share"]
    files = [workspace.folder / "models/slim/small" / each["folder"] for each in recipe["passes"]]
    assert list(ledger["slim_bytes"]) == [(each / "model.slim").stat().st_size for each in files]
    unpruned = pd.read_csv(workspace.folder / "reports/tables/pruning.csv")["num_parameters"].max()
    assert list(ledger["times_fewer_bytes"]) == pytest.approx(4 * unpruned / ledger["slim_bytes"])
    assert (ledger["low"] <= ledger["validation_balanced_accuracy"]).all()
    table = pd.read_csv(workspace.folder / "reports/tables/recipes.csv")
    assert list(table["verdict"].fillna("")) == ["", "", "accepted"]
    size = f"{ledger['slim_bytes'].iloc[-1]:,}"
    assert f"small is lenet5 in {size} bytes" in workspace.output
    assert "Recipes" in (workspace.folder / "reports/index.html").read_text()


def test_the_last_network_is_registered_and_the_smallest_of_equals(workspace, recipe):
    client = mlflow.MlflowClient(f"sqlite:///{workspace.folder}/mlflow.db")
    challenger = client.get_model_version_by_alias("slimderm", "challenger")
    assert challenger.tags["notation"] == "small: share"
    run = client.get_run(challenger.run_id)
    last = recipe["passes"][-1]
    assert run.data.metrics["size/slim_bytes"] == last["ledger"]["slim_bytes"]
    assert run.data.params["slim.bits"] == "3"
    assert run.data.tags["accepted"] == "true"
    experiment = client.get_experiment_by_name("slimderm").experiment_id
    names = {each.info.run_name.split(" (")[0] for each in client.search_runs([experiment])}
    assert {"lenet5 small: sparsify", "lenet5 small: share"} <= names


def killed_after_a_pass(workspace, command):
    """Kill a command once a pass is finished; return what is finished, and since when."""
    cache = workspace.folder / ".cache/slimderm"
    known = set(cache.glob("??/[!.]*/report.txt"))
    with workspace.start(*command) as process:
        deadline = time.monotonic() + 300
        while not set(cache.glob("??/[!.]*/report.txt")) - known:
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    new = set(cache.glob("??/[!.]*/report.txt")) - known
    return {path: path.stat().st_mtime_ns for path in new}


def on_a_cluster(workspace, command, table, cluster):
    """What is gone is made anew by Dask's workers, the same but for how long it takes."""
    cache = workspace.folder / ".cache/slimderm"
    newest = max(cache.glob("??/[!.]*/report.txt"), key=lambda path: path.stat().st_mtime_ns)
    shutil.rmtree(newest.parent)
    params = workspace.folder / "params.yaml"
    before = params.read_text()
    try:
        address = json.loads(cluster.contact.read_text())["address"]
        there = f"experiment: slimderm, engine: dask, dask_address: '{address}'"
        params.write_text(before.replace("experiment: slimderm", there))
        workspace.run(*command)
    finally:
        cluster.stop()
        params.write_text(before)
    assert newest.exists()
    again = pd.read_csv(workspace.folder / "reports/search/lenet5/recipes.csv")
    kept = [name for name in table if "latency" not in name and "_ms" not in name]
    pd.testing.assert_frame_equal(again[kept], table[kept])


def test_a_search_ends_with_recipes_that_the_stage_finds_trained(
    workspace, tmp_path, start_cluster
):
    command = ["python", "-m", "slimderm", "search", "lenet5", "--json", "--start", "smallest"]
    command += ["--recipes", "2", "--rungs", "2", "--epochs", "2", "--seed", "2882"]
    begun = killed_after_a_pass(workspace, command)
    front = json.loads(workspace.run(*command).stdout)
    folder = workspace.folder / "reports/search/lenet5"
    table = pd.read_csv(folder / "recipes.csv")
    assert sorted(table["rung"]) == [0, 1]
    assert set(table["epochs"]) == {1, 2}
    assert table["front"].sum() == len(front) == 1
    assert begun == {path: path.stat().st_mtime_ns for path in begun}
    assert (folder / "front.png").stat().st_size > 10_000
    assert json.loads(workspace.run(*command).stdout) == front  # all is found again
    on_a_cluster(workspace, command, table, start_cluster(tmp_path))
    before = {*(workspace.folder / ".cache/slimderm").glob("??/[!.]*")}
    params = workspace.folder / "params.yaml"
    own = params.read_text()
    workspace.run("python", "-m", "slimderm", "apply", "--recipe", str(folder / "recipes.yaml"))
    assert workspace.repro("slim@found1") == ["slim@found1"]
    after = {*(workspace.folder / ".cache/slimderm").glob("??/[!.]*")}
    assert not [each for each in after - before if (each / "report.txt").exists()]
    ledger = pd.read_csv(workspace.folder / "models/slim/found1/ledger.csv")
    assert ledger["slim_bytes"].iloc[-1] == front[0]["slim_bytes"]
    params.write_text(own)


def test_a_change_of_the_last_pass_leaves_the_first_alone_and_a_recipe_may_go(workspace):
    params = workspace.folder / "params.yaml"
    cache = workspace.folder / ".cache/slimderm"
    before = set(cache.glob("??/[!.]*/report.txt"))
    params.write_text(params.read_text().replace("bits: 3", "bits: 2"))
    ran = workspace.repro("slim@small")
    assert ran == ["slim@small"]
    new = set(cache.glob("??/[!.]*/report.txt")) - before
    assert len(new) == 1
    assert "and zero" in new.pop().read_text()
    params.write_text(params.read_text().split("slim:")[0] + "slim: {}\nrecord: {}\n")
    assert "register" in workspace.repro("register")
    assert not (workspace.folder / "models/slim/small").exists()
    assert (workspace.folder / ".cache/unlisted/slim/small/recipe.json").exists()
