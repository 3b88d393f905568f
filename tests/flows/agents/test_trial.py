"""A run with other values: in a clone inside, recorded, and nothing of this clone's is changed."""

import json
import sys

import pytest
import yaml

from slimderm.components.common.errors import ParameterError
from slimderm.flows.agents import trial
from slimderm.flows.config.params import read_params

# Two steps as people start them, the second with a value of its own; then gates that fail.
FLOW = """\
import json, pathlib
from prefect import flow
from slimderm.components.common.errors import RecordError
from slimderm.flows.pipeline import step_of
from slimderm.flows.servers.embedded import embedded_server
from slimderm.flows.work.gates_shown import gates_shown

@flow(flow_run_name="pipeline of today")
def judged():
    with gates_shown():
        failed = {"version": "1", "gates": "failed", "against": "nothing", "reason": "bytes is 12"}
        pathlib.Path("data/review.json").write_text(json.dumps({"champion": failed}))
        raise RecordError("it is not served")

with embedded_server():
    for name in ("synthesize", "ingest"):
        step_of(name)()
    step_of("split")(split={"seed": 7})
    judged(return_state=True)
"""
READ = """\
import json, sqlite3, sys
database = sqlite3.connect("prefect.db")
database.row_factory = sqlite3.Row
print(json.dumps({
    table: [dict(row) for row in database.execute(f"select {columns} from {table}")]
    for table, columns in {
        "flow_run": "id, name, parameters, state_type", "log": "flow_run_id, message",
        "artifact": "flow_run_id, key, data",
    }.items()
}))
"""


@pytest.fixture(scope="module")
def ran(make_workspace):
    workspace = make_workspace()
    before = (workspace.folder / "params.yaml").read_bytes()
    workspace.run(sys.executable, "-c", FLOW)
    assert (workspace.folder / "params.yaml").read_bytes() == before
    known = json.loads(workspace.run(sys.executable, "-c", READ).stdout)
    return workspace, known


def run_named(known, name):
    (found,) = [run for run in known["flow_run"] if run["name"].startswith(name)]
    return found


@pytest.mark.integration
@pytest.mark.slow
def test_a_value_reaches_the_step_and_no_file_of_the_clone(ran):
    workspace, _ = ran
    assert workspace.run("git", "status", "--porcelain", "--untracked-files=no").stdout == ""
    assert not (workspace.folder / "data/splits.csv").exists()
    made = (workspace.folder / ".trial/data/splits.csv").read_text()
    params = workspace.folder / "params.yaml"
    own = yaml.safe_load(params.read_text())
    for seed, same in ((7, True), (0, False)):  # by the other route
        params.write_text(yaml.safe_dump(own | {"split": {"seed": seed}}))
        workspace.run(sys.executable, "-m", "slimderm.flows.steps", "split")
        assert ((workspace.folder / "data/splits.csv").read_text() == made) == same


@pytest.mark.integration
@pytest.mark.slow
def test_the_run_has_the_value_on_record_and_the_steps_lines_in_its_log(ran):
    _, known = ran
    run = run_named(known, "step split")
    assert json.loads(run["parameters"])["split"]["seed"] == 7
    log = [line["message"] for line in known["log"] if line["flow_run_id"] == run["id"]]
    assert [line for line in log if line.startswith("split: train ")]
    drawn = run_named(known, "step synthesize")
    lines = [line["message"] for line in known["log"] if line["flow_run_id"] == drawn["id"]]
    assert "synthesize: data/source, seed 1" in lines
    assert not [line for line in lines if "━" in line or " of " in line]


@pytest.mark.integration
@pytest.mark.slow
def test_gates_that_fail_are_told_by_the_name_of_the_run_and_on_its_page(ran):
    _, known = ran
    run = run_named(known, "pipeline of today")
    assert run["state_type"] == "FAILED"
    assert run["name"] == "pipeline of today, gates: champion 1 failed"
    (page,) = [each["data"] for each in known["artifact"] if each["key"] == "gates"]
    assert "bytes is 12" in page


@pytest.fixture
def here(tmp_path, monkeypatch, with_policy):
    with_policy(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/small.yaml").write_text("prune: {ratio: 0.4, init: inherit}\n")
    text = "{networks: [lenet5, custom1], slim: {a: {network: lenet5, passes: [{pass: share}]}}}"
    (tmp_path / "params.yaml").write_text(text)
    return tmp_path


def test_values_go_before_the_recipe_and_are_tags_of_mlflows_runs(here):
    given = {"networks": ["custom1"], "prune": {"criterion": "l1", "ratio": 0.3}}
    document = trial._changed("small", given) | {"record": trial._record("small", given)}
    (here / "params.yaml").write_text(yaml.safe_dump(document))
    params = read_params()
    assert params.networks == ("custom1",)
    assert not params.slim  # of a network that this run leaves out
    assert (params.prune.criterion, params.prune.ratio, params.prune.init) == ("l1", 0.3, "inherit")
    assert params.record.tags == {
        "given.recipe": "small",
        "given.networks": '["custom1"]',
        "given.prune.criterion": "l1",
        "given.prune.ratio": "0.3",
    }
    assert params.record.tracking_uri == f"sqlite:///{here}/mlflow.db"
    assert params.record.model == "slimderm-trials"


def test_values_that_contradict_each_other_are_refused(here):
    document = trial._changed(None, {"prune": {"criterion": "l1"}})
    (here / "params.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ParameterError, match=r"the values of this run: .*expected init inherit"):
        trial._check()
