import http.server
import os
import pickle
import shutil
import site
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.terminal import without_password
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.page_links import page_links, report_links
from slimderm.flows.record.registry import Registry


@pytest.fixture
def tracker(empty_record, tmp_path, monkeypatch):
    empty_record(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    return Tracker(RecordSettings(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"))


@pytest.fixture
def registry(tracker, tmp_path, with_policy):
    with_policy(tmp_path)
    return Registry(tracker)


def model():
    image = keras.Input((4,), name="image")
    return keras.Model({"image": image}, keras.layers.Dense(2, activation="softmax")(image))


DESCRIPTION = {"classes": ["a", "b"], "size": [1, 4], "variant": "original", "image_only": True}


def record(tracker, key):
    parent = tracker.parent("parent-key", "lenet5", {"network": "lenet5"})
    with tracker.child(parent, key, "R0", {"network": "lenet5"}) as run:
        run.params({"widths": "6-16"})
        run.metrics({"accuracy": 0.5})
        model().save("model.keras")
        run.model(Path("model.keras"), DESCRIPTION)
    return parent


def test_the_folder_mlflow_does_not_shadow_the_library():
    import mlflow

    assert mlflow.__file__ is not None
    assert Path(mlflow.__file__).is_relative_to(site.getsitepackages()[0])


def test_a_child_is_found_by_its_key_and_hangs_on_its_parent(tracker):
    parent = record(tracker, "k1")
    run = tracker.find("k1")
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.metrics == {"accuracy": 0.5}
    assert tracker.find("k2") is None
    assert tracker.parent("parent-key", "lenet5", {}) == parent


def test_a_failed_child_is_not_found_and_says_failed(tracker):
    parent = tracker.parent("p", "lenet5", {})
    with pytest.raises(ZeroDivisionError), tracker.child(parent, "k", "R0", {}):
        raise ZeroDivisionError
    assert tracker.find("k") is None
    statuses = [run.info.status for run in tracker.client.search_runs([tracker.experiment_id])]
    assert sorted(statuses) == ["FAILED", "FINISHED"]


def test_a_run_left_running_by_a_killed_process_is_closed(tracker):
    parent = tracker.parent("p", "lenet5", {})
    left = tracker.client.create_run(tracker.experiment_id, tags={"slimderm.key": "k"})
    with tracker.child(parent, "k", "R0", {}):
        pass
    assert tracker.client.get_run(left.info.run_id).info.status == "KILLED"
    assert tracker.find("k").info.status == "FINISHED"


def test_a_parent_left_running_by_a_killed_process_is_taken_up(tracker):
    left = tracker.client.create_run(tracker.experiment_id, tags={"slimderm.key": "p"})
    assert tracker.parent("p", "lenet5", {}) == left.info.run_id
    (run,) = tracker.client.search_runs([tracker.experiment_id])
    assert run.info.status == "FINISHED"


def test_runs_that_name_the_same_new_data_at_once_do_not_stop_each_other(tracker):
    parent, together = tracker.parent("p", "lenet5", {}), threading.Barrier(4)
    names = [f"raw test {number}" for number in range(5)]

    def name_data(key):
        with tracker.child(parent, key, key, {}) as run:
            for name in names:
                together.wait(60)
                run.dataset(name, "0123.dir", "data/raw", "testing")
        found = tracker.client.get_run(run.run_id).inputs.dataset_inputs
        return sorted(each.dataset.name for each in found)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(name_data, "abcd")) == [names] * 4


def test_registering_twice_makes_one_version_that_gives_the_same_answers(tracker, registry):
    record(tracker, "k1")
    assert registry.register("k1", {"network": "lenet5"}) == "1"
    assert registry.register("k1", {"network": "lenet5"}) == "1"
    registry.set_alias("challenger", "1")
    assert registry.aliased("champion") is None
    version = registry.expected("challenger")
    assert version.tags["network"] == "lenet5"
    loaded, metadata = registry.load(version)
    assert metadata == DESCRIPTION
    image = np.ones((3, 4), np.float32)
    assert loaded.predict({"image": image}, verbose=0).shape == (3, 2)


def test_the_same_model_of_another_run_makes_no_second_version(tracker, registry):
    for key in ("k1", "k2", "k3"):
        record(tracker, key)
    assert registry.register("k1", {}, "content") == "1"
    assert registry.register("k2", {}, "content") == "1"
    assert registry.register("k3", {}, "other") == "2"
    assert [registry.version(number).tags["slimderm.key"] for number in "12"] == ["k1", "k3"]


def test_what_was_never_recorded_cannot_be_registered(registry):
    with pytest.raises(RecordError, match="no finished MLflow run records nothing"):
        registry.register("nothing", {})


def test_a_missing_alias_is_an_error_that_says_what_to_do(registry):
    with pytest.raises(RecordError, match="run `make demo`"):
        registry.expected("challenger")
    with pytest.raises(RecordError, match="run `make promote`"):
        registry.expected("champion")


class Planted:
    """A pickle that leaves a mark when it is read."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def test_an_experiment_made_through_a_server_is_refused_without_one(tracker):
    tracker.client.create_experiment("shared", artifact_location="mlflow-artifacts:/1")
    settings = replace(tracker.settings, experiment="shared")
    with pytest.raises(RecordError, match=r"'shared', which was recorded.*`make up`"):
        Tracker(settings)


@pytest.fixture
def registered_before(tracker, registry):
    """A version as this program registered it when MLflow's own flavor loaded it."""
    run = tracker.client.create_run(tracker.experiment_id)
    with tracker.mlflow.start_run(run_id=run.info.run_id):
        logged = tracker.mlflow.tensorflow.log_model(
            model(),
            name="model",
            signature=tracker.mlflow.models.infer_signature({"image": np.zeros((1, 4))}),
            pip_requirements=["mlflow"],
            metadata=DESCRIPTION,
        )
    tracker.mlflow.register_model(logged.model_uri, registry.name)
    return registry.version("1")


def test_versions_registered_before_load_as_they_did(registry, registered_before):
    loaded, metadata = registry.load(registered_before)
    assert metadata == DESCRIPTION
    assert loaded.predict({"image": np.ones((3, 4), np.float32)}, verbose=0).shape == (3, 2)


@pytest.mark.parametrize("name", ["custom_objects", "global_custom_objects"])
def test_a_pickle_in_the_store_is_never_run(tracker, registry, registered_before, tmp_path, name):
    (data,) = tmp_path.glob("mlartifacts/**/data")
    (data / f"{name}.cloudpickle").write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    registry.load(registered_before)
    with pytest.raises(tracker.mlflow.MlflowException, match="disallowed"):  # as MLflow loads it
        tracker.mlflow.pyfunc.load_model("models:/slimderm/1")
    assert not (tmp_path / "ran").exists()


def test_code_in_the_store_is_not_run_by_our_own_loader(tracker, registry, tmp_path):
    record(tracker, "k1")
    registry.register("k1", {})
    for file in tmp_path.glob("mlartifacts/**/code/slimderm/**/*.py"):
        file.write_text(f"import os; os.mkdir({str(tmp_path / 'ran')!r})")
    registry.load(registry.version("1"))
    assert not (tmp_path / "ran").exists()


def test_a_damaged_model_is_an_error_that_says_what_to_do(tracker, registry, tmp_path):
    record(tracker, "k1")
    registry.register("k1", {})
    (file,) = tmp_path.glob("mlartifacts/**/model.keras")
    file.write_bytes(b"not a model")
    with pytest.raises(RecordError, match="damaged, missing or not of SlimDerm"):
        registry.load(registry.version("1"))
    file.unlink()
    with pytest.raises(RecordError, match="damaged, missing or not of SlimDerm"):
        registry.load(registry.version("1"))


def test_an_experiment_in_a_folder_of_another_machine_is_refused(tracker, tmp_path, monkeypatch):
    server = SimpleNamespace(get_tracking_uri=lambda: "http://somebody:password@10.0.0.5:5000")
    experiment = tracker.client.get_experiment(tracker.experiment_id)
    tracker._check_reachable(experiment)  # without a server
    monkeypatch.setattr(tracker, "mlflow", server)
    tracker._check_reachable(experiment)  # on the server's own machine
    shutil.rmtree(tmp_path / "mlartifacts")
    with pytest.raises(RecordError, match=f"{tmp_path}/mlartifacts.*record.experiment") as caught:
        tracker._check_reachable(experiment)
    assert "password" not in str(caught.value)
    tracker._check_reachable(SimpleNamespace(artifact_location="mlflow-artifacts:/1"))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://admin:p@ss@host:5000/x", "http://host:5000/x"),
        ("postgresql://u:p@host/mlflow", "postgresql://host/mlflow"),
        ("sqlite:////tmp/a@b/mlflow.db", "sqlite:////tmp/a@b/mlflow.db"),
        ("no http://u:p@host, ask a@b", "no http://host, ask a@b"),
    ],
)
def test_an_address_is_shown_without_its_password(address, shown):
    assert without_password(address) == shown


def test_the_links_that_prefect_keeps_hold_no_password(tracker, registry, monkeypatch):
    server = SimpleNamespace(get_tracking_uri=lambda: "http://somebody:password@10.0.0.5:5000")
    monkeypatch.setattr(tracker, "mlflow", server)
    assert "(http://10.0.0.5:5000/#/models/slimderm)" in page_links(registry, "1")
    assert "password" not in page_links(registry, "1")
    monkeypatch.setenv("MLFLOW_PAGE", "http://10.0.0.5:5001")  # where workers know another address
    assert "(http://10.0.0.5:5001/#/models/slimderm)" in page_links(registry, "1")


def test_the_reports_links_are_those_of_make_up_where_no_server_records(registry):
    links = report_links(registry, version="3", flow_run="f")
    assert links["its version 3, the challenger (after make up)"].endswith(
        "5000/#/models/slimderm/versions/3"
    )
    assert links["the flow run in Prefect (after make up)"].endswith("4200/runs/flow-run/f")
    assert all(link.startswith("http://127.0.0.1:") for link in links.values())
    alone = report_links(registry, version=None, flow_run=None)
    assert not [link for link in alone.values() if "versions" in link or "flow-run" in link]


def test_the_reports_links_lead_to_the_servers_and_hold_no_password(tracker, registry, monkeypatch):
    server = SimpleNamespace(get_tracking_uri=lambda: "http://somebody:password@10.0.0.5:5000")
    monkeypatch.setattr(tracker, "mlflow", server)
    with temporary_settings({PREFECT_API_URL: "http://10.0.0.5:4200/api"}):
        links = report_links(registry, version="3", flow_run="f")
    assert links["its version 3, the challenger"] == (
        "http://10.0.0.5:5000/#/models/slimderm/versions/3"
    )
    assert links["the flow run in Prefect"] == "http://10.0.0.5:4200/runs/flow-run/f"
    assert "password" not in str(links)


def test_two_processes_that_make_the_experiment_at_once_share_it(tracker, monkeypatch):
    """Networks are trained side by side: each finds none, one makes it, the other takes it."""
    first = tracker.experiment_id
    real, asked = tracker.client.get_experiment_by_name, []

    def too_early(client, name):
        asked.append(name)
        return None if len(asked) == 1 else real(name)

    monkeypatch.setattr(type(tracker.client), "get_experiment_by_name", too_early)
    assert Tracker(tracker.settings).experiment_id == first
    assert len(asked) == 2


def test_every_run_has_the_tags_of_the_section_record(tracker):
    own = Tracker(replace(tracker.settings, tags={"given.prune.criterion": "l1"}))
    parent = own.parent("parent-key", "lenet5", {"network": "lenet5"})
    with own.child(parent, "key", "R0", {"network": "lenet5"}) as run:
        pass
    for made in (parent, run.run_id):
        tags = tracker.client.get_run(made).data.tags
        assert (tags["given.prune.criterion"], tags["network"]) == ("l1", "lenet5")


class Refusal(http.server.BaseHTTPRequestHandler):
    """Asks for a password, as MLflow does with authentication on."""

    def do_GET(self):
        self.send_response(401)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_a_server_that_asks_for_a_password_is_told_of_with_what_to_do(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    with http.server.HTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        expected = "received no user, expected MLFLOW_TRACKING_USERNAME .*`make down` and `make up`"
        with pytest.raises(RecordError, match=expected):
            Tracker(RecordSettings())
        server.shutdown()


def test_each_folder_has_its_own_database_in_one_process(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        tracker = Tracker(RecordSettings(tracking_uri="sqlite:///mlflow.db"))
        tracker.parent(name, name, {})
        runs = tracker.client.search_runs([tracker.experiment_id])
        found.append([run.data.tags["slimderm.key"] for run in runs])
    assert found == [["one"], ["two"]]
