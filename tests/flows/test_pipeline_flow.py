"""One short run as a Prefect flow through the real servers, beside one in one process."""

import json
import re
import shutil

import pandas as pd
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1000)]


@pytest.fixture(scope="module")
def reproduced(made_workspace):
    return made_workspace()


@pytest.fixture(scope="module")
def flowed(make_workspace, reproduced, free_port):
    """By the other route, which trains anew; images are not measured a second time."""
    workspace = make_workspace()
    cache = workspace.folder / ".cache"
    shutil.copytree(reproduced.folder / ".cache", cache)
    for model in [*cache.rglob("model.keras")]:
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


def test_after_repro_the_prefect_route_finds_nothing_to_do(reproduced, flowed):
    workspace = reproduced
    api = flowed[0].environment["PREFECT_API_URL"]
    done = workspace.run("python", "-m", "slimderm", "flow", PREFECT_API_URL=api)
    assert "pipeline: nothing was stale" in done.stdout


def test_the_prefect_route_leaves_dvc_clean(flowed, every_stage):
    workspace, output = flowed
    ran = next(line for line in output.splitlines() if line.startswith("pipeline: "))
    assert set(ran.removeprefix("pipeline: ").split(", ")) == every_stage
    assert workspace.is_clean(output), output
    assert workspace.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    assert workspace.repro() == []


def first_pipeline(workspace):
    """Id of the first of the server's runs of the pipeline; other tests add to them."""
    body = {"flows": {"name": {"any_": ["pipeline"]}}, "sort": "EXPECTED_START_TIME_ASC"}
    return workspace.ask("/flow_runs/filter", body)[0]["id"]


def test_what_steps_print_stands_in_the_runs_log_and_the_verdict_in_its_name(flowed):
    workspace, _ = flowed
    first = first_pipeline(workspace)
    body = {"logs": {"flow_run_id": {"any_": [first]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
    log = [line["message"] for line in workspace.ask("/logs/filter", body)]
    report = [line for line in log if line.startswith("report: ")]
    assert report == ["report: reports/index.html"]
    assert [line for line in log if line.startswith("prune: lenet5 R1: ")]
    assert not [line for line in log if "━" in line]
    judged = json.loads((workspace.folder / "data/review.json").read_text())["challenger"]
    found = f"gates: challenger {judged['version']} {judged['gates']}"
    assert workspace.ask(f"/flow_runs/{first}")["name"].endswith(found)
    wanted = {"key": {"any_": ["gates"]}, "flow_run_id": {"any_": [first]}}
    (made,) = workspace.ask("/artifacts/filter", {"artifacts": wanted})
    assert judged["reason"].split(";")[0] in made["data"]


def test_what_a_flow_recorded_is_found_in_mlflow_by_its_id(flowed):
    workspace, _ = flowed
    first = first_pipeline(workspace)
    script = (
        "import json, mlflow;"
        "runs = mlflow.search_runs(experiment_names=['slimderm'], output_format='list');"
        "print(json.dumps({r.info.run_name.split(' (')[0]:"
        " r.data.tags.get('prefect.flow_run') for r in runs}))"
    )
    found = json.loads(workspace.run("python", "-c", script).stdout.splitlines()[-1])
    expected = {"lenet5 original", "lenet5 compressed", "report"}
    assert expected <= {name for name in found if found[name] == first}


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
    assert name.startswith("report (")
    assert report.strip() == (workspace.folder / "reports/index.html").read_text().strip()


def test_both_routes_give_the_same_tables(reproduced, flowed):
    first, second = reproduced.tables(), flowed[0].tables()
    assert first.keys() == second.keys()
    for name, frame in first.items():
        pd.testing.assert_frame_equal(frame, second[name], obj=name)
