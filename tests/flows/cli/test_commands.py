"""Commands that need no server, on data of a few bytes: what they print, and how they end."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.terminal import console
from slimderm.flows.cli.servers import state_of
from slimderm.flows.config import layout
from slimderm.flows.servers import doctor, local
from slimderm.flows.servers.doctor import Finding
from slimderm.flows.work import promotion, storage_study


def test_a_recipe_is_applied_and_a_faulty_one_changes_nothing(clone, call):
    (clone / "recipe.yaml").write_text("train: {epochs: 7}\n")
    assert call("apply", "--recipe", "recipe.yaml")[:2] == (0, "params.yaml: set train.epochs\n")
    after = (clone / "params.yaml").read_text()
    assert "epochs: 7" in after
    assert "it holds these values already" in call("apply", "--recipe", "recipe.yaml")[1]
    (clone / "recipe.yaml").write_text("train: {epochs: -1}\n")
    code, said, _ = call("apply", "--recipe", "recipe.yaml")
    assert code == 1
    assert "ParameterError" in said
    assert (clone / "params.yaml").read_text() == after


def test_data_without_a_recipe_keep_the_demos_rule_and_say_so(clone, call):
    for name in ("mine", "other"):
        (clone / name).mkdir()
        (clone / name / "photo.jpg").write_bytes(b"")
    said = call("apply", "--data", "mine")[1]
    assert "a rule of acceptance that proves nothing about a network" in said
    assert said.endswith("for real data take RECIPE=recipes/sound.yaml\n")
    (clone / "recipe.yaml").write_text("train: {epochs: 7}\n")
    said = call("apply", "--data", "other", "--recipe", "recipe.yaml")[1]
    assert "ingest.source" in said
    assert "acceptance" not in said


def test_verify_without_a_dataset_exits_with_one_and_prints_no_json(clone, call):
    code, said, errors = call("verify", "--json")
    assert (code, said) == (1, "")
    assert f"{layout.MANIFEST}: not there" in errors


def test_verify_finds_a_lost_file(clone, call, monkeypatch):
    (clone / "data/compressed").mkdir(parents=True)
    pd.DataFrame({"file": ["a.jpg"]}).to_parquet(clone / layout.MANIFEST)
    lost = pd.DataFrame({"file": ["a.jpg"], "problem": ["missing"], "detail": ["not there"]})
    answers = iter([lost, lost, lost[:0]])
    monkeypatch.setattr(
        "slimderm.components.compression.verify.verify", lambda *_, **__: next(answers)
    )
    code, said, _ = call("verify")
    assert code == 1
    assert "a.jpg: missing (not there)" in said
    code, said, _ = call("verify", "--json")
    assert code == 1
    assert json.loads(said) == {"differences": lost.to_dict("records")}
    code, said, _ = call("verify", "--json")
    assert (code, json.loads(said)) == (0, {"differences": []})


def test_codecs_hand_a_folder_to_the_study_and_give_its_table(clone, call, monkeypatch):
    asked = []

    def study(images, target, k):  # the real one takes a minute; test_pages runs it
        asked.append((images, target, k))
        target.mkdir()
        pd.DataFrame({"codec": ["png"], "k": [float("nan")]}).to_csv(target / "summary.csv")
        console.print("for people")

    monkeypatch.setattr(storage_study, "study_folder", study)
    (clone / "photos").mkdir()
    code, said, _ = call("codecs", "photos", "--target", "out", "--k", "8", "--json")
    assert code == 0
    assert asked == [(Path("photos"), Path("out"), 8)]
    (row,) = json.loads(said)["summary"]
    assert (row["codec"], row["k"]) == ("png", None)  # NaN is no JSON
    for wrong in ("nowhere", ""):
        code, said, _ = call("codecs", wrong)
        assert code == 1
        assert f"received {wrong!r}, expected a folder of images" in said


@pytest.mark.parametrize(
    ("well", "state", "code"), [(True, "ok", 0), (False, "FAIL", 1), (None, "skipped", 0)]
)
def test_the_doctor_says_ok_fail_or_skipped(clone, call, monkeypatch, well, state, code):
    finding = Finding("disk", well, "5 GB [free]")
    assert state_of(finding) == state
    monkeypatch.setattr(doctor, "examine", lambda: [finding])
    assert call("doctor")[:2] == (code, f"{state:<7}  disk      5 GB [free]\n")
    got, said, _ = call("doctor", "--json")
    assert got == code
    assert json.loads(said) == [{"name": "disk", "state": state, "said": "5 GB [free]"}]


def test_status_names_services_and_stale_stages(clone, call, monkeypatch):
    stale = iter([True, False, False, False])
    monkeypatch.setattr(local, "states", lambda: [("mlflow", "stopped", "http://here")])
    monkeypatch.setattr("slimderm.flows.record.dvc_lock.stages", lambda: ["split", "sweep"])
    monkeypatch.setattr("slimderm.flows.record.dvc_lock.is_stale", lambda _: next(stale))
    code, said, _ = call("status", "--json")
    assert code == 0
    assert json.loads(said) == {
        "services": [{"name": "mlflow", "state": "stopped", "place": "http://here"}],
        "stale": ["split"],
    }
    code, said, _ = call("status")
    assert (code, said.splitlines()) == (
        0,
        ["mlflow      stopped  http://here", "nothing is stale"],
    )


def test_lineage_asks_for_a_model_or_a_hash(clone, call):
    code, said, _ = call("lineage", "--of", "abc")
    assert code == 1
    assert "expected four characters or more" in said


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_who_is_champion_is_said_and_a_refusal_exits_with_one(clone, call, monkeypatch, command):
    version = SimpleNamespace(name="slimderm", version="3")
    given = []
    monkeypatch.setattr(promotion, command, lambda *values: given.append(values) or version)
    assert call(command, "--why", "smaller")[:2] == (0, "promote: version 3 is the champion\n")
    code, said, _ = call(command, "--json")
    assert (code, json.loads(said)) == (0, {"model": "slimderm", "champion": "3"})
    assert [values[-1] for values in given] == ["smaller", ""]

    def refuse(*_):
        raise RecordError("a gate failed")

    monkeypatch.setattr(promotion, command, refuse)
    assert call(command, "--json") == (1, "", "RecordError: a gate failed\n")
