"""Who may move the aliases of a store that others share, and what is kept of each move."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.config import layout
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.alias_moves import UNSEEN
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.promotions import GATES_TAG
from slimderm.flows.record.registry import CONTENT, Registry
from slimderm.flows.work import promotion, reviewing
from slimderm.flows.work.challenger import place_challenger, place_what_could_not_move

ROOT = Path(__file__).parents[3]
RULE = "on a shared store aliases move on main or master and in Prefect's deployments"


def git(*arguments):
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *who, *arguments], check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path, monkeypatch, with_policy):
    """A clone on the branch main, in which this process runs as ada."""
    for name in ("DVC_EXP_NAME", "PREFECT__FLOW_RUN_ID", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    folder = tmp_path / "clone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with_policy(folder)
    git("init", "-q", "-b", "main")
    git("add", "-A")
    git("commit", "-qm", "first")
    return folder


def opened(folder):
    """The registry of the store in a folder, with two versions; and what steps are given."""
    params = SimpleNamespace(record=RecordSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    registry = Registry(Tracker(params.record))
    registry.client.create_registered_model(registry.name)
    for number in ("1", "2"):
        run = registry.client.create_run(registry.tracker.experiment_id)
        made = registry.client.create_model_version(registry.name, "none", run.info.run_id)
        facts = {"network": "lenet5", "notation": f"R{number}", CONTENT: f"content {number}"}
        registry.tag(made, facts | {GATES_TAG: "passed"})
    return registry, params


@pytest.fixture
def shared(clone, tmp_path, empty_record):
    """A store outside the clone."""
    place = tmp_path / "server"
    place.mkdir()
    empty_record(place)
    return opened(place)


def entry(number):
    own = {"network": "lenet5", "notation": f"R{number}", "version": number}
    return own | {"content": f"content {number}"}


def number_of(registry, role):
    found = registry.aliased(role)
    return found and str(found.version)


def on_a_colleagues_branch(monkeypatch):
    git("switch", "-qc", "bob/idea")
    return "this is branch bob/idea"


def in_an_experiment(monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "gaudy-oryx")
    return "this is the DVC experiment gaudy-oryx"


def in_an_experiment_of_a_deployment(monkeypatch):
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "77-88")
    return in_an_experiment(monkeypatch)


def at_a_detached_head(monkeypatch):
    git("switch", "-q", "--detach")
    return "this is no branch of git"


def in_no_clone(monkeypatch):
    shutil.rmtree(".git")
    return "this is no branch of git"


@pytest.mark.parametrize(
    "go",
    [
        on_a_colleagues_branch,
        in_an_experiment,
        in_an_experiment_of_a_deployment,
        at_a_detached_head,
        in_no_clone,
    ],
)
def test_aliases_of_a_shared_store_stay_where_they_are(shared, monkeypatch, go):
    registry, params = shared
    place_challenger(params, entry("1"))
    registry.promotions.promote(registry.version("1"), "the first")
    reason = go(monkeypatch)
    said = place_challenger(params, entry("2"))
    assert said.startswith(
        "slimderm version 2 is registered (lenet5 R2); the alias challenger stays at version 1: "
        f"{reason}; {RULE}"
    )
    assert "make review" in said
    assert "\n" not in said
    monkeypatch.setattr(promotion, "read_params", lambda: params)
    for command in (lambda: promotion.promote("2", "better"), promotion.rollback):
        with pytest.raises(RecordError, match=f"no version was promoted: {reason}"):
            command()
    with pytest.raises(RecordError, match=f"was not moved to version 2: {reason}"):
        registry.promotions.promote(registry.version("2"), "better")
    assert (number_of(registry, "challenger"), number_of(registry, "champion")) == ("1", "1")
    moves = registry.promotions.moves
    assert [len(moves.of(role)) for role in ("challenger", "champion")] == [1, 1]


def in_a_deployment(monkeypatch):
    git("switch", "-q", "--detach")
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "77-88")


def on_a_branch_that_is_named(monkeypatch):
    policy = layout.REGISTRY_POLICY.read_text()
    layout.REGISTRY_POLICY.write_text(policy.replace("[main, master]", "[release]"))
    git("switch", "-qc", "release")


@pytest.mark.parametrize("go", [in_a_deployment, on_a_branch_that_is_named, lambda patch: None])
def test_a_deployment_and_a_named_branch_move_the_aliases_of_a_shared_store(
    shared, monkeypatch, go
):
    registry, params = shared
    go(monkeypatch)
    said = place_challenger(params, entry("2"))
    assert said == "slimderm version 2 is the challenger (lenet5 R2)"
    Registry(registry.tracker).promotions.promote(registry.version("1"), "the first")
    assert (number_of(registry, "challenger"), number_of(registry, "champion")) == ("2", "1")


@pytest.mark.parametrize("go", [at_a_detached_head, in_no_clone, on_a_colleagues_branch])
def test_the_clones_own_store_is_nobody_elses(clone, monkeypatch, empty_record, go):
    empty_record(clone)
    registry, params = opened(clone)
    go(monkeypatch)
    place_challenger(params, entry("2"))
    registry.promotions.promote(registry.version("1"), "mine")
    assert (number_of(registry, "challenger"), number_of(registry, "champion")) == ("2", "1")


def test_who_when_from_where_and_why_are_kept_of_both_aliases(shared, monkeypatch):
    registry, params = shared
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], text=True).strip()
    place_challenger(params, entry("1"))
    place_challenger(params, entry("1"))  # moves nothing
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "bob")
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", "77-88")
    place_challenger(params, entry("2"))
    registry.promotions.promote(registry.version("1"), "half the size")
    moves = registry.promotions.moves
    kept = [*moves.of("challenger"), *moves.of("champion")]
    assert [(each["version"], each["by"]) for each in kept] == [
        ("1", "ada"),
        ("2", "bob"),
        ("1", "bob"),
    ]
    why = ["the smallest accepted network (lenet5 R1)", "the smallest accepted network (lenet5 R2)"]
    assert [each["why"] for each in kept] == [*why, "half the size"]
    here = {"host": os.uname().nodename, "branch": "main", "commit": commit}
    for each in kept:
        assert here.items() <= each.items()
        assert each["at"].startswith("20")
    assert [each.get("flow_run") for each in kept] == [None, "77-88", "77-88"]


def test_aliases_set_by_hand_are_noticed_and_stay_and_get_their_reason_later(shared, monkeypatch):
    registry, params = shared
    monkeypatch.setattr(promotion, "read_params", lambda: params)

    def judged(params, registry, version, reference):
        return {"version": str(version.version), "gates": "passed", "reason": ""}

    for module in (reviewing, promotion):
        monkeypatch.setattr(module, "judged", judged)
    place_challenger(params, entry("1"))
    for role in ("challenger", "champion"):
        registry.set_alias(role, "2")
    for _ in range(2):
        reviewing.review_registry(params)
    for role in ("challenger", "champion"):
        assert number_of(registry, role) == "2"
        last = registry.promotions.moves.of(role)[-1]
        assert (last["version"], last["by"], last["why"]) == ("2", UNSEEN, "not said")
        assert "host" not in last  # who set it was perhaps elsewhere
    promotion.promote("2", "half the size")
    promotion.promote("2", "again")
    kept = [(each["by"], each["why"]) for each in registry.promotions.all()]
    assert kept == [(UNSEEN, "not said"), ("ada", "half the size")]


def test_what_was_registered_on_a_branch_becomes_the_challenger_once_it_is_merged(
    shared, monkeypatch
):
    registry, params = shared
    place_challenger(params, entry("1"))
    git("switch", "-qc", "bob/idea")
    place_challenger(params, entry("2"))
    layout.DATA.mkdir()
    # As in a clone whose store counts otherwise: the content says which version it is.
    layout.REGISTERED.write_text(json.dumps({"challenger": entry("2") | {"version": "7"}}))
    place_what_could_not_move(registry)
    assert number_of(registry, "challenger") == "1"
    git("switch", "-q", "main")
    place_what_could_not_move(registry)
    assert number_of(registry, "challenger") == "2"
    registry.set_alias("challenger", "1")  # by hand: it had its turn
    place_what_could_not_move(registry)
    assert number_of(registry, "challenger") == "1"
    layout.REGISTERED.write_text(json.dumps({"challenger": entry("9")}))  # of another store
    place_what_could_not_move(registry)
    layout.REGISTERED.write_text(json.dumps({"challenger": None}))
    place_what_could_not_move(registry)
    assert number_of(registry, "challenger") == "1"


STAGE = """\
stages:
  tell:
    cmd: python tell.py
    params: [a]
    outs: [told.txt]
"""
TELL = """\
import pathlib
from slimderm.flows.record.alias_moves import why_not
pathlib.Path("told.txt").write_text(why_not("http://mlflow.example:5000", ["main"]))
"""


def test_dvc_names_its_experiments_to_what_they_run(clone):
    """By DVC itself: on main a plain `dvc repro` moves aliases, `dvc exp run` does not."""
    known = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_NO_ANALYTICS": "1"}
    known |= dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "t")
    known |= dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "t@example.org")
    known["PATH"] = f"{Path(sys.executable).parent}:{known['PATH']}"

    def dvc(*arguments):
        command = [sys.executable, "-m", "dvc", *arguments, "-q"]
        subprocess.run(command, env=known, check=True, capture_output=True)

    dvc("init")
    Path("dvc.yaml").write_text(STAGE)
    Path("tell.py").write_text(TELL)
    Path("params.yaml").write_text("a: 1\n")
    dvc("repro")
    assert Path("told.txt").read_text() == ""
    git("add", "-A")
    git("commit", "-qm", "made")
    dvc("exp", "run", "--name", "other-a", "-S", "a=2")
    assert Path("told.txt").read_text().startswith("this is the DVC experiment other-a; on a")
