"""Inputs recorded by the service and by a batch, looked at, labelled later; in a small clone."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import cv2
import httpx
import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats
from starlette.testclient import TestClient

from slimderm.components.common.errors import ParameterError, RecordError, SchemaError
from slimderm.components.dataset.catalog import ingest, write_dataset
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.monitoring.inputs import PICTURE, unpack
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.batch import predict_folder
from slimderm.flows.serving.service.app import make_app
from slimderm.flows.serving.service.champion import Champion
from slimderm.flows.serving.service.settings import ServiceSettings
from slimderm.flows.serving.watch.labels import add_labels, read_labels
from slimderm.flows.serving.watch.look import look
from slimderm.flows.serving.watch.recorder import Recorder, read_inputs, record_of
from slimderm.flows.serving.watch.reference import reference_of

pytestmark = [
    pytest.mark.slow,  # a clone with a record of its own, some 20 s
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # as DVC reads it
]

ROOT = Path(__file__).parents[4]
CLASSES = ["melanoma", "nevus", "other"]
DX = ["mel", "nv", "bkl"]
COLUMNS = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
DESCRIPTION = {
    "classes": CLASSES, "size": [8, 8], "variant": "original", "network": "lenet5",
    "image_only": False,
    "encoder": {
        "age_median": 50.0, "age_mean": 50.0, "age_deviation": 10.0,
        "sexes": ["unknown", "female", "male"], "localizations": ["unknown", "back"],
    },
}  # fmt: skip
PARAMS = """\
ingest: {source: own}
evaluate: {bootstrap_samples: 100}
record: {tracking_uri: "sqlite:///mlflow.db", workers: 1}
"""
POLICY = "watch: {reference_images: 60, min_inputs: 40, least_melanoma_sensitivity: 0.9}\n"
PERSON = {"age": "47", "sex": "female", "localization": "back"}


def network():
    """Names the strongest colour: red melanoma, green nevus, blue other; sees no metadata."""
    image, metadata = keras.Input((8, 8, 3), name="image"), keras.Input((3,), name="metadata")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    both = keras.layers.Concatenate()([mean, metadata])
    head = keras.layers.Dense(3, activation="softmax")
    model = keras.Model({"image": image, "metadata": metadata}, head(both))
    head.set_weights([np.vstack([4 * np.eye(3), np.zeros((3, 3))]), np.zeros(3)])
    return model


def photo(seed, colour, *, darker=0):
    random = np.random.default_rng(seed)
    pixels = random.integers(40, 120, (16, 16, 3), dtype=np.uint8) + random.integers(0, 30)
    pixels[..., colour] += 90
    return cv2.imencode(".png", (pixels - darker)[..., ::-1].astype(np.uint8))[1].tobytes()


def dataset(folder, number):
    folder.mkdir()
    rows = []
    for index in range(number):
        (folder / f"i{index}.png").write_bytes(photo((1, index), index % 3))
        rows.append([f"L{index}", f"i{index}", DX[index % 3], "histo", "47", "female", "back"])
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "HAM10000_metadata.csv", index=False)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A clone whose champion was trained on 30 of 100 lesions."""
    from dvc.repo import Repo

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("watch") / "clone"
    (folder / "mlflow").mkdir(parents=True)
    patch.chdir(folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setenv("DVC_SITE_CACHE_DIR", str(folder.parent / "site"))  # what other folders left
    layout.REGISTRY_POLICY.write_text(POLICY)
    Path("params.yaml").write_text(PARAMS)
    dataset(Path("own"), 100)
    catalog = ingest(Path("own"), classes=PAPER_CLASSES)
    write_dataset(catalog, Path("own"), None, layout.RAW)
    parts = catalog.images[["image_id", "lesion_id"]].assign(part="train")
    parts.loc[parts["image_id"].str[1:].astype(int) >= 30, "part"] = "test"
    parts.to_csv(layout.SPLITS, index=False)
    Repo.init(no_scm=True).close()
    outs = [str(layout.RAW), str(layout.SPLITS)]
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"make": {"cmd": "true", "outs": outs}}}))
    subprocess.run([sys.executable, "-m", "dvc", "commit", "-q", "-f"], check=True)
    tracker = Tracker(read_params().record)
    tags = {f"dvc.{Path(path).name}": md5 for path, md5 in dvc_lock.output_hashes(*outs).items()}
    network().save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", tags) as run:
        run.model(Path("model.keras"), DESCRIPTION)
    found = Registry(tracker)
    found.register("k", {"network": "lenet5"})
    found.tag(found.version("1"), {"gates": "passed"})
    found.calibrate(found.version("1"), 1.5)
    found.promotions.promote(found.version("1"), "first")
    yield found
    patch.undo()


@pytest.fixture
def record(registry):
    """Puts the record aside after each test."""
    yield layout.WATCH
    for place in (layout.WATCH, layout.FEEDBACK):
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def services(registry):
    """The service by what it records; a champion is loaded once for each."""
    made = {}

    def service(kept):
        if kept not in made:
            recorder = None if kept == "nothing" else Recorder(kept, "service")
            champion = Champion(lambda: registry, embedding=kept == "embedding")
            settings = ServiceSettings(rate="9999/minute")
            made[kept] = make_app(champion, settings, recorder, stop=pytest.fail)
        return TestClient(made[kept])

    return service


def ask(client, number, *, darker=0, seed=2, **person):
    for index in range(number):
        image = ("jane-doe-1970.png", photo((seed, index), index % 3, darker=darker))
        reply = client.post("/predict", files={"image": image}, data=PERSON | person)
        assert reply.status_code == 200, reply.text
        yield reply.json()


def looked(registry, **how):
    return look(read_params(), registry, registry.version("1"), **({"make": True} | how))


def test_nothing_is_recorded_unless_that_is_switched_on(services, record):
    (said,) = ask(services(ServiceSettings.read({}).record), 1)
    assert said["prediction_id"] is None
    assert not record.exists()
    with pytest.raises(ParameterError, match="SERVE_RECORD: received 'all', expected one of noth"):
        ServiceSettings.read({"SERVE_RECORD": "all"})


def test_the_service_records_numbers_and_nothing_by_which_somebody_is_known(services, record):
    answers = list(ask(services("embedding"), 3, localization="Jane Doe's back"))
    (file,) = record.rglob("*.jsonl")
    assert file == record_of("slimderm", "1") / f"{datetime.now(UTC).date()}.jsonl"
    text = file.read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [row["prediction_id"] for row in rows] == [each["prediction_id"] for each in answers]
    for word in ("jane", "doe", "1970", ".png"):
        assert word not in text.lower()
    numbers = {*PICTURE, "confidence"}
    words = {"prediction_id", "at", "model", "way", "predicted", "age", "sex", "localization"}
    for index, (row, said) in enumerate(zip(rows, answers, strict=True)):
        assert row.keys() == numbers | words | {"embedding"}
        assert row["at"].endswith(":00Z")  # the hour
        assert (row["localization"], row["age"]) == ("unknown", "40 to 49")
        assert row["predicted"] == said["predicted"] == CLASSES[index % 3]
        assert row["confidence"] == pytest.approx(said["probabilities"][row["predicted"]], rel=1e-4)
        pixels = cv2.imdecode(np.frombuffer(photo((2, index), index % 3), np.uint8), 1)
        assert row["brightness"] == pytest.approx(
            cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).mean(), abs=0.5
        )
        assert len(unpack(row["embedding"])) == 6  # means of three colours, three of a person
    (said,) = ask(services("statistics"), 1)
    assert "embedding" not in json.loads(file.read_text().splitlines()[-1])


def test_an_input_that_cannot_be_recorded_is_answered_all_the_same(services, record, caplog):
    record.write_text("a file where the folder should be")
    try:
        (said,) = ask(services("statistics"), 1)
    finally:
        record.unlink()
    assert said["prediction_id"] is None
    assert said["predicted"] == "melanoma"
    assert "an input could not be recorded" in caplog.text


def test_a_batch_records_what_it_answers_under_the_ids_of_its_table(registry, record):
    folder = Path("clinic")
    folder.mkdir()
    for index in range(4):
        (folder / f"john-{index}.png").write_bytes(photo((3, index), index % 3))
    (folder / "broken.png").write_bytes(b"no image")
    Path("people.csv").write_text(
        "image_id,lesion_id,sex\njohn-0,K1,male\njohn-1,K1,male\njohn-2,,\njohn-3,,\n"
    )
    predict_folder.fn(str(folder), "out.csv", "people.csv", "statistics")
    table = pd.read_csv("out.csv", keep_default_na=False).set_index("image_id")
    assert (table.pop("prediction_id") == "").tolist() == [True, False, False, False, False]
    assert table["predicted"].tolist() == ["", *(CLASSES[index % 3] for index in range(4))]
    assert "embedding" not in table
    inputs, _ = read_inputs("slimderm", "1")
    assert inputs["way"].tolist() == ["batch"] * 4
    assert inputs["again"].fillna(False).tolist() == [False, True, False, False]
    assert inputs["sex"].tolist() == ["male", "male", "unknown", "unknown"]
    assert "john" not in next(record.rglob("*.jsonl")).read_text()


def test_lines_are_only_added_and_one_cut_short_stays_apart(registry, record):
    recorder = Recorder("statistics", "batch")
    assert len(set(recorder.keep("slimderm", "1", [{"a": 1}, {"a": 2}]))) == 2
    (file,) = record.rglob("*.jsonl")
    before = file.read_bytes()
    file.write_bytes(before + b'{"prediction_id": "cut')
    recorder.keep("slimderm", "1", [{"a": 3}])
    assert file.read_bytes().startswith(before)
    inputs, unreadable = read_inputs("slimderm", "1")
    assert (inputs["a"].tolist(), unreadable) == ([1, 2, 3], 1)
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert read_inputs("slimderm", "1", since=tomorrow)[0].empty
    assert read_inputs("slimderm", "1", until=date(2020, 1, 1))[0].empty


def test_inputs_like_the_reference_are_no_alarm_and_darker_ones_are(registry, services, record):
    client = services("embedding")
    list(ask(client, 39))
    few = looked(registry)
    assert few.inputs.table is None
    assert "Too few to compare: 39, expected watch.min_inputs, 40." in few.inputs.said
    list(ask(client, 60))  # 39 of these were sent before
    same = looked(registry)
    assert same.alarms == []
    assert "39 more were the same pictures again, and count once." in same.inputs.said
    reference = reference_of(registry, registry.version("1"), registry.settings.watch)
    assert len(reference) == 60
    shown = pd.read_csv(same.page.parent / "statistics.csv").set_index("statistic")
    inputs, _ = read_inputs("slimderm", "1")
    once = inputs["brightness"].iloc[39:]
    expected = stats.ks_2samp(reference["brightness"], once, method="asymp")
    assert shown.loc["brightness", "p"] == pytest.approx(expected.pvalue)
    shutil.rmtree(record)
    list(ask(client, 45, darker=25))
    dark = looked(registry)
    assert "brightness" in {alarm.split(":")[0] for alarm in dark.alarms}
    page = dark.page.read_text()
    assert "Alarm: " in page
    assert "brightness: drifted" not in page  # it is drawn, in a picture that the page holds
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert sources == [sources[0]]
    assert sources[0].startswith("data:image/png;base64,")
    run = registry.client.get_run(dark.run_id)
    assert run.data.metrics["num_inputs"] == 45
    assert run.data.metrics["num_alarms"] == len(dark.alarms)
    assert run.data.tags["watched.model"] == "slimderm/1"
    assert looked(registry).run_id == dark.run_id  # the same again


def test_the_reference_is_of_lesions_that_were_not_trained_on(registry):
    settings = registry.settings.watch
    reference = reference_of(registry, registry.version("1"), settings)
    trained, held_out = (
        [
            cv2.cvtColor(cv2.imread(f"own/i{index}.png"), cv2.COLOR_BGR2GRAY).mean()
            for index in numbers
        ]
        for numbers in (range(30), range(30, 100))
    )
    apart = np.abs(reference["brightness"].to_numpy()[:, None] - [*trained, *held_out])
    assert (apart.argmin(axis=1) >= 30).all()
    assert len(reference) == 60


@pytest.fixture
def labelled(services, record):
    """Ids of 30 predictions of melanoma and 30 of nevi, all right by their colour."""
    answers = list(ask(services("statistics"), 90, seed=4))
    return {
        name: [each["prediction_id"] for each in answers if each["predicted"] == name]
        for name in ("melanoma", "nevus")
    }


def deliver(name, rows, **how):
    lines = ["prediction_id,diagnosis,lesion_id", *(",".join(row) for row in rows)]
    Path(name).write_text("\n".join(lines) + "\n")
    return add_labels(read_params(), name, **how)


def test_labels_come_in_files_that_never_change_and_judge_the_champion(registry, labelled):
    first = [(each, "nv", "") for each in labelled["nevus"]]
    _, file = deliver("first.csv", first)
    before = file.read_bytes()
    rows = [(each, "mel", f"M{i}") for i, each in enumerate(labelled["melanoma"])]
    # Of melanomas that it took for nevi there are ten: 30 of 40 are right.
    wrong = [(each, "mel", f"W{i}") for i, each in enumerate(labelled["nevus"][:10])]
    with pytest.raises(SchemaError, match="another label than is known"):
        deliver("second.csv", rows + wrong)
    assert [*layout.FEEDBACK.iterdir()] == [file]
    delivery, second = deliver("second.csv", rows + wrong, correct=True)
    assert (len(delivery.labels), delivery.corrected) == (40, 10)
    assert file.read_bytes() == before
    assert deliver("again.csv", rows)[1] is None
    assert len(read_labels()) == 60
    found = looked(registry, make=False)
    accuracy = found.labels.accuracy.set_index(["when", "figure"])["value"]
    assert accuracy["all", "melanoma_sensitivity"] == pytest.approx(30 / 40)
    assert accuracy["all", "balanced_accuracy"] == pytest.approx((30 / 40 + 1) / 2)
    assert found.alarms[0].startswith("melanoma sensitivity 0.750 (")
    metrics = registry.client.get_run(found.run_id).data.metrics
    assert metrics["melanoma_sensitivity"] == pytest.approx(0.75)
    assert metrics["melanoma_sensitivity_low"] < 0.75 < metrics["melanoma_sensitivity_high"] < 0.9
    assert "melanoma sensitivity" in found.page.read_text()
    second.write_text(second.read_text().replace("mel,", "nv,"))
    with pytest.raises(RecordError, match="received other bytes than were written"):
        read_labels()


def test_labels_need_a_record_and_a_table(registry, record):
    with pytest.raises(SchemaError, match="no input is on record in data/watch"):
        deliver("early.csv", [("a", "nv", "")])
    with pytest.raises(ParameterError, match=r"TABLE: received 'nowhere.csv', expected a CSV"):
        add_labels(read_params(), "nowhere.csv")


def command(*words, **environment):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(1200)
def test_the_commands_print_what_was_found_and_end_with_1_on_an_alarm(services, labelled):
    done = command("slimderm", "watch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "90 inputs of slimderm version 1" in done.stdout
    assert "No label of a prediction by slimderm version 1 has come." in done.stdout
    rows = [f"{each},nv" for each in labelled["melanoma"]]  # it was wrong about all of them
    rows += [f"{each},mel" for each in labelled["nevus"]]
    Path("labels.csv").write_text("\n".join(["prediction_id,diagnosis", *rows]) + "\n")
    done = command("slimderm", "feedback", "labels.csv", "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    assert (said["new"], said["corrected"]) == (60, 0)
    assert said["figures"]["accuracy"] == 0
    assert said["alarms"][0].startswith("melanoma sensitivity 0.000")


@pytest.fixture
def prefect_server(free_port, wait_until):
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    server = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    home = {**os.environ, "PREFECT_HOME": str(Path("prefect").absolute())}
    with subprocess.Popen(server, env=home, **quiet) as process:
        try:
            wait_until(lambda: answers(api), 300)
            yield api
        finally:
            process.terminate()


def answers(api):
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{api}/health", timeout=5).is_success
    return False


FLOW = "from slimderm.flows.serving.watch.flow import watch; print(*watch(), sep='\\n')"
POLICY_THAT_STARTS = POLICY.replace("{", "{start_pipeline: true, ")


@pytest.mark.integration
@pytest.mark.timeout(1200)
def test_an_alarm_is_an_event_and_starts_the_pipeline_where_the_policy_says_so(
    services, record, prefect_server, wait_until
):
    list(ask(services("statistics"), 45, darker=25))

    def post(path, **body):
        return httpx.post(f"{prefect_server}{path}", json=body, timeout=30).json()

    made = post("/flows/", name="pipeline")
    post("/deployments/", name="scheduled", flow_id=made["id"])
    environment = {"PREFECT_API_URL": prefect_server, "PYTHONPATH": str(ROOT)}
    for policy, started in ((POLICY, 0), (POLICY_THAT_STARTS, 1)):
        layout.REGISTRY_POLICY.write_text(policy)
        run = [sys.executable, "-W", "ignore", "-c", FLOW]
        done = subprocess.run(
            run, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "brightness: median" in done.stdout
        runs = post("/flow_runs/filter", flows={"name": {"any_": ["pipeline"]}})
        assert len(runs) == started
    layout.REGISTRY_POLICY.write_text(POLICY)
    wanted = {"event": {"name": ["slimderm.inputs.alarm"]}}
    wait_until(lambda: post("/events/filter", filter=wanted)["total"] == 2, 60)
    event = post("/events/filter", filter=wanted)["events"][0]
    assert event["resource"]["prefect.resource.id"] == "slimderm.model.slimderm.1"
    assert any(alarm.startswith("brightness") for alarm in event["payload"]["alarms"])
    (shown, *_) = post("/artifacts/filter", artifacts={"key": {"any_": ["watch"]}})
    assert "**Alarm**: brightness" in shown["data"]
