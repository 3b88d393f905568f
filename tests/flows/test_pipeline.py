"""One short run in one process: its output, its record, and what a change makes stale."""

import json
import shutil
import time

import pandas as pd
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def reproduced(made_workspace):
    return made_workspace()


def test_it_runs_every_stage_with_clean_output(reproduced, every_stage):
    workspace, output = reproduced, reproduced.output
    assert {line for line in output.splitlines() if line in workspace.stages()} == every_stage
    assert workspace.is_clean(output), output
    assert workspace.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."


def test_dvc_repro_afterwards_does_nothing_and_is_quick(reproduced):
    workspace = reproduced
    start = time.monotonic()
    assert workspace.repro() == []
    assert time.monotonic() - start < 15


def test_mlflow_holds_a_parent_and_a_child_a_training(reproduced):
    workspace = reproduced
    script = (
        "import json, mlflow; mlflow.set_tracking_uri('sqlite:///mlflow.db');"
        "runs = mlflow.search_runs(search_all_experiments=True, output_format='list');"
        "print(json.dumps([[r.info.run_name.split(' (')[0],"
        " r.info.status, r.data.tags, r.data.metrics]"
        " for r in runs]))"
    )
    runs = json.loads(workspace.run("python", "-c", script).stdout)
    by_name = {name: (status, tags, metrics) for name, status, tags, metrics in runs}
    steps = json.loads((workspace.folder / "models/lenet5/pruned/steps.json").read_text())["steps"]
    notations = {step["notation"] for step in steps} - {"R0"}
    assert set(by_name) == {
        "lenet5",
        "lenet5 original",
        "lenet5 compressed",
        "reports",
        "report",
        *(f"lenet5 {notation}" for notation in notations),
    }
    assert {status for status, _, _ in by_name.values()} == {"FINISHED"}
    _, tags, metrics = by_name["lenet5 original"]
    assert {"dvc.raw", "dvc.compressed", "mlflow.source.git.commit", "mlflow.parentRunId"} <= set(
        tags
    )
    assert {"size/num_parameters", "test/balanced_accuracy", "epoch/train_loss"} <= set(metrics)


def test_the_end_says_what_was_made_and_where_to_look(reproduced):
    workspace = reproduced
    said = workspace.run("python", "-m", "slimderm", "demo").stdout
    assert "nothing was stale" in said
    registry = json.loads((workspace.folder / "data/registry.json").read_text())
    challenger = registry["challenger"]
    assert f"version {challenger['version']} is the challenger: lenet5" in said
    assert f"{challenger['num_parameters']:,} parameters" in said
    for place in ("reports/index.html", "data/compressed"):
        assert place in said
        assert (workspace.folder / place).exists()


@pytest.mark.slow
def test_a_leak_stops_training(reproduced):
    workspace = reproduced
    splits = workspace.folder / "data/splits.csv"
    text = splits.read_text()
    frame = pd.read_csv(splits)
    twice = frame[frame.duplicated("lesion_id", keep=False)].iloc[0]
    other = "test" if twice["part"] == "train" else "train"
    frame.loc[frame["image_id"] == twice["image_id"], "part"] = other
    splits.unlink()
    frame.to_csv(splits, index=False)
    workspace.run("dvc", "commit", "-q", "-f", "split")  # else it would pass for damage
    done = workspace.run("python", "-m", "slimderm.flows.steps", "train", "lenet5", check=False)
    splits.unlink()
    splits.write_text(text)
    workspace.run("dvc", "commit", "-q", "-f", "split")
    assert done.returncode == 1
    assert f"LeakError: lesion {twice['lesion_id']} stands on two sides" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_data_goes_to_the_remote_and_comes_back(reproduced):
    workspace = reproduced
    raw = workspace.folder / "data/raw"
    before = sorted(path.name for path in raw.rglob("*"))
    workspace.run("dvc", "push", "-q")
    shutil.rmtree(raw)
    shutil.rmtree(workspace.folder / ".dvc/cache")
    workspace.run("dvc", "pull", "-q")
    assert sorted(path.name for path in raw.rglob("*")) == before
    assert workspace.repro() == []


def test_a_colleagues_clone_is_clean_after_a_pull(reproduced):
    workspace = reproduced
    place = workspace.folder.parent / "colleague"
    _, *compared = workspace.follow("compare-runs.md", "$", 0, 4)
    assert "networks.lenet5.smallest.auroc" in compared[0]
    workspace.run("git", "clone", "-q", str(workspace.folder), str(place))
    script = (
        f"cd {place} && python -m slimderm remote {workspace.folder}/dvc-remote && dvc pull -q &&"
        "dvc status"
    )
    said = workspace.run("bash", "-c", script).stdout
    assert said.strip().endswith("Data and pipelines are up to date.")


def test_dvc_compares_the_numbers_and_draws_the_curves(reproduced):
    workspace = reproduced
    shown = json.loads(workspace.run("dvc", "metrics", "show", "--json").stdout)
    found = shown[""]["data"]["reports/metrics.json"]["data"]
    steps = json.loads((workspace.folder / "models/lenet5/pruned/steps.json").read_text())
    registry = json.loads((workspace.folder / "data/registry.json").read_text())
    for name, record in (("unpruned", steps["steps"][0]), ("smallest", steps["smallest"])):
        network = found["networks"]["lenet5"][name]
        assert network["parameters"] == record["num_parameters"]
        assert network["auroc"] == record["metrics"]["test_auroc"]
    assert found["challenger"]["bytes"] == registry["challenger"]["bytes"]
    assert found["codecs"]["jpeg"] == 0
    assert found["storage"]["k"] == 60
    curves = json.loads(workspace.run("dvc", "plots", "show", "--json").stdout)
    assert "errors" not in curves
    drawn = {name: each[0] for name, each in curves["data"].items() if each[0]["type"] == "vega"}
    points = {name: len(each["content"]["data"]["values"]) for name, each in drawn.items()}
    test = steps["smallest"]["num_images"]
    assert points == {
        "learning curves": 2 * 2,  # variants, epochs
        "quality against k": 3 * 4,  # metrics, ranks
        "pruning path": len(steps["steps"]),
        "confusion on test": test,
    }


@pytest.mark.slow
def test_a_pruning_parameter_reruns_pruning_only(reproduced):
    workspace = reproduced
    params = workspace.folder / "params.yaml"
    params.write_text(
        params.read_text().replace("relative_tolerance: 0.9", "relative_tolerance: 0.8")
    )
    assert set(workspace.repro()) <= {"prune@lenet5", "register", "review", "report"}
