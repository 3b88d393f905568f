"""One short run in one process, and one as a Prefect flow through the real servers."""

import hashlib
import json
import re
import shutil
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from slimderm.flows.steps.table import STAGES

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
ITEMS = {"${networks}": ["lenet5"], "${studies}": []}  # of the workspace's parameters


def every_stage():
    """The table's stages; one that dvc.yaml repeats stands there once for each item."""
    described = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    for name in STAGES:
        items = described[name].get("foreach")
        yield from [f"{name}@{item}" for item in ITEMS[items]] if items else [name]


@pytest.fixture(scope="module")
def short(tiny):
    """Parameters of one pruning."""
    return tiny.replace('"R1: 50%", "R1: 33%"', '"R1: 50%"')


@pytest.fixture(scope="module")
def reproduced(make_workspace, short):
    workspace = make_workspace(short)
    done = workspace.run("python", "-m", "slimderm", "run")
    return workspace, done.stdout + done.stderr


@pytest.fixture(scope="module")
def flowed(make_workspace, short, reproduced, free_port):
    """By the other route, which trains anew; images are not measured a second time."""
    workspace = make_workspace(short)
    cache = workspace.folder / ".cache"
    shutil.copytree(reproduced[0].folder / ".cache", cache)
    for model in cache.rglob("model.keras"):
        shutil.rmtree(model.parent)
    ports = {"MLFLOW_PORT": free_port(), "PREFECT_PORT": free_port()}
    workspace.environment |= ports
    workspace.run("python", "-m", "slimderm", "up")
    workspace.environment |= {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['MLFLOW_PORT']}",
        "PREFECT_API_URL": f"http://127.0.0.1:{ports['PREFECT_PORT']}/api",
    }
    done = workspace.run("python", "-m", "slimderm", "flow")
    yield workspace, done.stdout + done.stderr
    workspace.run("python", "-m", "slimderm", "down")


def test_it_runs_every_stage_with_clean_output(reproduced):
    workspace, output = reproduced
    assert {line for line in output.splitlines() if line in workspace.stages()} == {*every_stage()}
    assert workspace.is_clean(output), output
    assert workspace.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."


def test_dvc_repro_afterwards_does_nothing_and_is_quick(reproduced):
    workspace, _ = reproduced
    start = time.monotonic()
    assert workspace.repro() == []
    assert time.monotonic() - start < 15


def test_after_repro_the_prefect_route_finds_nothing_to_do(reproduced, flowed):
    workspace, _ = reproduced
    api = flowed[0].environment["PREFECT_API_URL"]
    done = workspace.run("python", "-m", "slimderm", "flow", PREFECT_API_URL=api)
    assert "pipeline: nothing was stale" in done.stdout


def test_the_prefect_route_leaves_dvc_clean(flowed):
    workspace, output = flowed
    ran = next(line for line in output.splitlines() if line.startswith("pipeline: "))
    assert set(ran.removeprefix("pipeline: ").split(", ")) == {*every_stage()}
    assert workspace.is_clean(output), output
    assert workspace.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    assert workspace.repro() == []


def first_pipeline(workspace):
    """Id of the first of the server's runs of the pipeline; other tests add to them."""
    body = {"flows": {"name": {"any_": ["pipeline"]}}, "sort": "EXPECTED_START_TIME_ASC"}
    return workspace.ask("/flow_runs/filter", body)[0]["id"]


def test_what_a_flow_recorded_is_found_in_mlflow_by_its_id(flowed):
    workspace, _ = flowed
    first = first_pipeline(workspace)
    script = (
        "import json, mlflow;"
        "runs = mlflow.search_runs(experiment_names=['slimderm'], output_format='list');"
        "print(json.dumps({r.info.run_name: r.data.tags.get('prefect.flow_run') for r in runs}))"
    )
    found = json.loads(workspace.run("python", "-c", script).stdout.splitlines()[-1])
    assert {"original", "compressed", "report"} <= {name for name in found if found[name] == first}


def test_the_flows_artifact_leads_to_the_report_in_mlflow(flowed):
    workspace, _ = flowed
    run = {"any_": [first_pipeline(workspace)]}
    (made,) = workspace.ask(
        "/artifacts/filter", {"artifacts": {"key": {"any_": ["pipeline"]}, "flow_run_id": run}}
    )
    (link,) = re.findall(r"\[the report\]\((http[^)]+)\)", made["data"])
    server = workspace.environment["MLFLOW_TRACKING_URI"]
    run, file = re.fullmatch(
        rf"{server}/#/experiments/\d+/runs/(\w+)/artifacts/(.+)", link
    ).groups()
    script = (
        "import mlflow, pathlib, sys; print(mlflow.get_run(sys.argv[1]).info.run_name);"
        "print(pathlib.Path(mlflow.artifacts.download_artifacts("
        "run_id=sys.argv[1], artifact_path=sys.argv[2])).read_text())"
    )
    name, report = workspace.run("python", "-c", script, run, file).stdout.split("\n", 1)
    assert name == "report"
    assert report.strip() == (workspace.folder / "reports/index.html").read_text().strip()


def test_both_routes_give_the_same_tables(reproduced, flowed):
    first, second = reproduced[0].tables(), flowed[0].tables()
    assert first.keys() == second.keys()
    for name, frame in first.items():
        pd.testing.assert_frame_equal(frame, second[name], obj=name)


def test_mlflow_holds_a_parent_and_a_child_a_training(reproduced):
    workspace, _ = reproduced
    script = (
        "import json, mlflow; mlflow.set_tracking_uri('sqlite:///mlflow.db');"
        "runs = mlflow.search_runs(search_all_experiments=True, output_format='list');"
        "print(json.dumps([[r.info.run_name, r.info.status, r.data.tags, r.data.metrics]"
        " for r in runs]))"
    )
    runs = json.loads(workspace.run("python", "-c", script).stdout)
    by_name = {name: (status, tags, metrics) for name, status, tags, metrics in runs}
    steps = json.loads((workspace.folder / "models/lenet5/pruned/steps.json").read_text())["steps"]
    notations = {step["notation"] for step in steps} - {"R0"}
    assert set(by_name) == {
        "lenet5",
        "original",
        "compressed",
        "reports",
        "report",
        *notations,
    }
    assert {status for status, _, _ in by_name.values()} == {"FINISHED"}
    _, tags, metrics = by_name["original"]
    assert {"dvc.raw", "dvc.compressed", "mlflow.source.git.commit", "mlflow.parentRunId"} <= set(
        tags
    )
    assert {"num_parameters", "test_balanced_accuracy", "epoch_train_loss"} <= set(metrics)


def test_the_end_says_what_was_made_and_where_to_look(reproduced):
    workspace, _ = reproduced
    said = workspace.run("python", "-m", "slimderm", "demo").stdout
    assert "nothing was stale" in said
    registry = json.loads((workspace.folder / "data/registry.json").read_text())
    challenger = registry["challenger"]
    assert f"version {challenger['version']} is the challenger: lenet5" in said
    assert f"{challenger['num_parameters']:,} parameters" in said
    for place in ("reports/index.html", "data/compressed"):
        assert place in said
        assert (workspace.folder / place).exists()


@pytest.fixture(scope="module")
def champion(reproduced):
    """The clone once its challenger is the champion."""
    workspace, _ = reproduced
    workspace.run("python", "-m", "slimderm", "promote", "--why", "a test on a few images")
    return workspace


def test_predict_and_promote_use_the_registered_model(reproduced, request):
    workspace, _ = reproduced
    image = next((workspace.folder / "data/raw/images").glob("*.jpg"))
    known = ["--age", "45", "--sex", "female", "--site", "back"]
    said = workspace.run("python", "-m", "slimderm", "predict", str(image), *known).stdout
    assert "challenger" in said
    assert "melanoma" in said
    workspace = request.getfixturevalue("champion")
    assert "champion" in workspace.run("python", "-m", "slimderm", "predict", str(image)).stdout


def test_a_folder_is_classified_and_a_faulty_file_gets_a_row_that_says_so(champion, tmp_path):
    workspace = champion
    folder = tmp_path / "photos"
    folder.mkdir()
    source = sorted((workspace.folder / "data/raw/images").glob("*.jpg"))
    for path in source[:3]:
        shutil.copy(path, folder / path.name)
    (folder / "broken.jpg").write_bytes(b"no image")
    (folder / "lost.jpg").symlink_to(folder / "nowhere.jpg")
    table = tmp_path / "people.csv"
    table.write_text(f"image_id,age,sex\n{source[0].stem},45,female\n")
    out = str(tmp_path / "out.csv")
    arguments = (str(folder), out, "--metadata", str(table))
    command = ["python", "-m", "slimderm", "batch", *arguments]
    assert "3 images in" in workspace.run(*command).stdout
    found = pd.read_csv(out, keep_default_na=False).set_index("image_id")
    assert len(found) == 5
    assert "broken.jpg" in found.loc["broken", "file"]
    assert found.loc["broken", "error"]
    assert "No such file" in found.loc["lost", "error"]
    classes = ["melanoma", "negative", "nevus", "other"]
    good = found.drop(["broken", "lost"])
    sums = good[classes].astype(float).sum(axis=1)
    assert sums.between(1 - 1e-9, 1 + 1e-9).all()
    for name, row in good.iterrows():
        path = folder / f"{name}.jpg"
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert row["predicted"] == max(classes, key=lambda each: float(row[each]))
    table.write_text("image_id,age\nx,old\n")
    refused = workspace.run(*command, check=False)
    assert refused.returncode == 1
    assert "SchemaError" in refused.stdout
    assert "received age 'old' of 'x'" in refused.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jpg"], "nowhere.jpg"),
        (["README.md"], "README.md"),
        (["x.jpg", "--age", "old"], "AGE"),
    ],
)
def test_predict_answers_bad_input_with_an_error(reproduced, arguments, said):
    done = reproduced[0].run("python", "-m", "slimderm", "predict", *arguments, check=False)
    assert done.returncode == 1
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_leak_stops_training(reproduced):
    workspace, _ = reproduced
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
    workspace, _ = reproduced
    raw = workspace.folder / "data/raw"
    before = sorted(path.name for path in raw.rglob("*"))
    workspace.run("dvc", "push", "-q")
    shutil.rmtree(raw)
    shutil.rmtree(workspace.folder / ".dvc/cache")
    workspace.run("dvc", "pull", "-q")
    assert sorted(path.name for path in raw.rglob("*")) == before
    assert workspace.repro() == []


def test_a_pruning_parameter_reruns_pruning_only(reproduced):
    workspace, _ = reproduced
    params = workspace.folder / "params.yaml"
    params.write_text(
        params.read_text().replace("relative_tolerance: 0.9", "relative_tolerance: 0.8")
    )
    assert set(workspace.repro()) <= {"prune@lenet5", "register", "review", "report"}
