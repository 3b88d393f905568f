"""What backfill refuses to put on record: models that other code, data or parameters made."""

import subprocess
from pathlib import Path

import pytest
import yaml

from slimderm.components.common.errors import RecordError
from slimderm.flows import backfill

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # as DVC reads it

STAGES = {
    "ingest": {"cmd": "cat source > raw", "deps": ["source"], "outs": ["raw"]},
    "split": {"cmd": "cat raw > splits", "deps": ["raw"], "params": ["split"], "outs": ["splits"]},
    "prune": {
        "foreach": ["lenet5"],
        "do": {
            "cmd": "mkdir -p models/${item}/pruned && cp splits models/${item}/pruned/steps.json",
            "deps": ["splits"],
            "outs": ["models/${item}/pruned"],
        },
    },
}


@pytest.fixture(autouse=True)
def made(tmp_path, monkeypatch):
    """A repository in which everything is up to date; the record itself is left out."""
    from dvc.repo import Repo

    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    Path("params.yaml").write_text("networks: [lenet5]\nsplit: {seed: 0}\n")
    Path("source").write_text("images")
    Path("reports/tables").mkdir(parents=True)
    subprocess.run(["dvc", "repro", "-q"], check=True)
    recorded = []
    for step in ("register", "review"):
        monkeypatch.setattr(getattr(backfill, step), "fn", lambda step=step: recorded.append(step))
    monkeypatch.setattr(backfill, "record_files", lambda *given: recorded.append(given[2]))
    return recorded


def test_what_is_up_to_date_is_recorded(made):
    backfill.backfill()
    assert made == ["register", "report", "review"]


def test_a_study_is_recorded_where_its_outputs_are(made):
    studies = "studies: {a: {network: lenet5}, b: {network: lenet5}}"
    Path("params.yaml").write_text(f"networks: [lenet5]\nsplit: {{seed: 0}}\n{studies}\n")
    Path("data/studies/b").mkdir(parents=True)
    backfill.backfill()
    assert made == ["register", "report", "b", "review"]


def test_a_clone_that_lacks_the_source_is_filled_all_the_same(made):
    Path("source").unlink()
    backfill.backfill()
    assert made == ["register", "report", "review"]


def test_models_of_another_split_are_refused(made):
    Path("splits").unlink()
    Path("splits").write_text("another")
    with pytest.raises(RecordError, match=r"prune@lenet5, split.*`make run` first"):
        backfill.backfill()
    assert made == []


def test_a_parameter_that_was_not_run_is_refused(made):
    Path("params.yaml").write_text("networks: [lenet5]\nsplit: {seed: 1}\n")
    with pytest.raises(RecordError, match=r"stale stages \(split\)"):
        backfill.backfill()
    assert made == []
