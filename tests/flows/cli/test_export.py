"""`slimderm export`: a model file anywhere, a registered version in a clone."""

import json

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from slimderm.components.export.table import installed
from slimderm.components.training.metadata import MetadataEncoder
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving import export as export_flow
from slimderm.flows.work import shipped_version
from slimderm.flows.work.shipping import Shipping

CLASSES = ["melanoma", "nevus"]
ENCODER = {
    "age_median": 50.0, "age_mean": 40.0, "age_deviation": 10.0,
    "sexes": ["unknown", "female", "male"], "localizations": ["unknown", "back", "face"],
}  # fmt: skip
DESCRIPTION = {
    "classes": CLASSES, "size": [8, 10], "variant": "original", "k": None, "codec": "jpeg",
    "quality": 90, "network": "lenet5", "image_only": False, "encoder": ENCODER,
}  # fmt: skip
MEASURED = {"agreement", "images", "mean", "num_images", "worst"}


def network():
    keras.utils.set_random_seed(0)
    image, metadata = keras.Input((8, 10, 3), name="image"), keras.Input((3,), name="metadata")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(image))
    x = layers.Dense(32, "relu", name="dense1")(layers.Concatenate()([x, metadata]))
    return keras.Model({"image": image, "metadata": metadata}, layers.Dense(2, "softmax")(x))


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A model file in the current folder, which is no clone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    network().save("model.keras")
    return tmp_path / "model.keras"


def run(folder, given):
    runner = Interpreter(model_path=str(folder / "model.tflite")).get_signature_runner()
    rows = [{name: each[i : i + 1] for name, each in given.items()} for i in range(5)]
    return np.concatenate([runner(**row)["probabilities"] for row in rows])


def drawn():
    draw = np.random.default_rng(1)
    image = draw.integers(0, 256, (5, 8, 10, 3)).astype(np.float32)
    return {"image": image, "metadata": draw.normal(size=(5, 3)).astype(np.float32)}


def test_a_file_becomes_a_folder_that_says_what_was_measured(file, call):
    code, said, errors = call("export", "model.keras", "edge")
    assert (code, errors) == (0, "")
    folder = file.parent / "edge"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "ledger.json", "model.tflite",
    ]  # fmt: skip
    ledger = json.loads((folder / "ledger.json").read_text())
    size = (folder / "model.tflite").stat().st_size
    first, *_, last = said.splitlines()
    assert first == f"model.keras as litert-int8: {size:,} bytes"
    assert last == "saved: edge"
    assert ledger["bytes"] == size
    assert (ledger["target"], ledger["temperature"]) == ("litert-int8", None)
    assert set(ledger["compared"]) == MEASURED
    assert ledger["compared"]["images"].startswith("seeded random images, noise from 0 to 255")
    assert ledger["compared"]["num_images"] == 100
    assert ledger["compared"]["worst"] < 0.05
    assert ledger["libraries"]["ai-edge-litert"] == "2.3.0"
    wanted = network().predict(drawn(), verbose=0)
    np.testing.assert_allclose(run(folder, drawn()), wanted, rtol=0, atol=0.05)
    assert "model.keras as litert-int8" in (folder / "README.md").read_text()


def test_json_is_the_ledger_and_where_it_lies(file, call):
    arguments = ("model.keras", "edge", "--target", "litert-float32", "--white", "1", "--json")
    code, said, errors = call("export", *arguments)
    assert (code, errors) == (0, "")
    answer = json.loads(said)
    assert (answer.pop("output"), answer.pop("ledger")) == ("edge", "edge/ledger.json")
    assert answer == json.loads((file.parent / "edge/ledger.json").read_text())
    assert answer["compared"]["images"].startswith("seeded random images, noise from 0 to 1,")
    assert answer["compared"]["worst"] < 1e-5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["edge"], "FILE: received no FILE, expected FILE OUT, or OUT and --model"),
        (["model.keras", "b", "edge"], "FILE: received model.keras b, expected FILE OUT"),
        (["model.keras", "edge", "--model", "1"], "received model.keras, expected OUT alone"),
        (["edge", "--model", "1", "--white", "1"], "received 1 and --model, expected one of"),
        (["model.keras", "edge", "--white", "0"], "white: received 0, expected a number above 0"),
        (["edge", "--model", "champion"], "which holds no dvc.yaml, expected the top folder"),
        (["model.keras", "."], "OUT: received '.', which exists and is no empty folder"),
        (["model.keras", "model.keras"], "which exists and is no empty folder"),
        (["nowhere.keras", "edge"], "expected a file that exists"),
        (["model.keras", "edge", "--target", "best"], "received best, and there are no labelled"),
        (["model.keras", "edge", "--target", "onnx-static-int8"], "one whose ranges are measured"),
        (["model.keras", "edge", "--target", "x"], "target: received 'x', expected one of litert"),
        (["other.keras", "edge"], "expected image or image and metadata"),
    ],
)
def test_what_cannot_be_done_is_an_error_of_ours_and_writes_nothing(file, call, arguments, said):
    keras.Sequential([keras.Input((4,)), layers.Dense(2, "softmax")]).save("other.keras")
    code, printed, _ = call("export", *arguments)
    assert code == 1
    assert said in printed
    assert not (file.parent / "edge").exists()


@pytest.fixture
def registry(clone, with_policy, empty_record, monkeypatch):
    """A registry whose version 1 was reviewed."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with_policy(clone)
    empty_record(clone)
    uri = f"sqlite:///{clone}/mlflow.db"  # MLflow keeps a database open under its address
    (clone / "params.yaml").write_text(f'record: {{tracking_uri: "{uri}"}}')
    tracker = Tracker(RecordSettings(tracking_uri=uri))
    registry = Registry(tracker)
    network().save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", {}) as made:
        made.model(clone / "model.keras", DESCRIPTION)
    registry.register("k", {"network": "lenet5"})
    version = registry.version("1")
    registry.tag(version, {"gates": "passed"})
    registry.calibrate(version, 1.75)
    return registry


def write_dataset(clone):
    """Three images, one of which validates, once as a copy, too."""
    images = clone / "data/raw/images"
    images.mkdir(parents=True)
    draw = np.random.default_rng(2)
    for name in "abc":
        cv2.imwrite(str(images / f"{name}.png"), draw.integers(0, 256, (16, 20, 3), np.uint8))
    people = {"age": [45, 50, ""], "sex": "male", "localization": "back", "dx": "nv"}
    people["label"] = "nevus"
    files = [f"images/{name}.png" for name in "abc"]
    ids = {"image_id": list("abc"), "lesion_id": list("abc")}
    pd.DataFrame(ids | {"file": files} | people).to_csv(clone / "data/raw/catalog.csv")
    splits = pd.DataFrame(
        {"image_id": list("abcc"), "lesion_id": list("abcc"), "copy": [0, 0, 0, 1]}
        | {"part": ["train", "test", "validation", "validation"]}
    )
    splits.to_csv(clone / "data/splits.csv", index=False)


@pytest.mark.slow  # MLflow is imported
def test_a_version_is_shipped_calibrated_and_compared_on_validation(clone, call, registry):
    code, said, _ = call("export", "no", "--model", "champion")
    assert code == 1
    assert "no version with the alias champion" in said
    registry.promotions.promote(registry.version("1"), "a test")
    code, _, _ = call("export", "edge", "--model", "champion", "--target", "litert-float32")
    assert code == 0
    plain = {"age": [[27.5], [50], [0], [90], [40]], "sex": [[1], [0], [2], [2], [1]]}
    plain |= {"localization": [[2], [1], [0], [2], [1]]}
    given = {name: np.float32(values) for name, values in plain.items()}
    columns = [(given["age"] - 40) / 10, given["sex"] / 2, given["localization"] / 2]
    pixels = {"image": drawn()["image"]}
    wanted = network().predict(pixels | {"metadata": np.hstack(columns)}, verbose=0) ** (1 / 1.75)
    wanted /= wanted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run(clone / "edge", pixels | given), wanted, rtol=0, atol=1e-5)
    page = (clone / "edge/README.md").read_text()
    assert "melanoma, nevus; they sum to 1" in page
    assert "| `localization` | 1 × 1 | the site's place among unknown, back, face" in page
    assert "brought to 8 rows of 10 by averaging areas" in page
    ledger = json.loads((clone / "edge/ledger.json").read_text())
    assert ledger["model"]["name"] == "slimderm version 1"
    assert ledger["compared"]["images"].startswith("seeded random images, noise from 0 to 255")

    write_dataset(clone)
    code, said, _ = call("export", "again", "--model", "1", "--encoded", "--json")
    assert code == 0
    ledger = json.loads(said)
    compared = ledger["compared"]
    assert ledger["accuracy"]["verdict"] == "inconclusive"
    assert set(ledger["tried"]) | {ledger["target"]} == set(installed())
    assert compared["images"].startswith("images of this clone's validation part; whether")
    assert compared["num_images"] == 1
    pixels = cv2.imread(str(clone / "data/raw/images/c.png"))[..., ::-1]
    small = cv2.resize(pixels, (10, 8), interpolation=cv2.INTER_AREA)[None].astype(np.float32)
    person = pd.DataFrame({"age": [np.nan], "sex": ["male"], "localization": ["back"]})
    given = {"image": small, "metadata": MetadataEncoder.from_dict(ENCODER).transform(person)}
    exact = network().predict(given, verbose=0) ** (1 / 1.75)
    exact /= exact.sum()
    assert compared["worst"] < 1e-6  # of one image nothing can be shown: the nearest is taken
    code, said, _ = call("export", "int8", "--model", "1", "--encoded", "--target", "litert-int8")
    assert code == 0
    assert "warning: the images are too few to show" in said
    compared = json.loads((clone / "int8/ledger.json").read_text())["compared"]
    runner = Interpreter(model_path=str(clone / "int8/model.tflite")).get_signature_runner()
    apart = np.abs(runner(**given)["probabilities"] - exact)
    assert compared["worst"] == pytest.approx(apart.max(), abs=1e-6)


@pytest.mark.slow  # MLflow is imported
def test_the_file_that_a_review_kept_is_taken_unless_another_is_asked_for(clone, call, registry):
    write_dataset(clone)
    shipping = Shipping(export_flow.registered("1"))
    made = shipping.judge("litert-float16", shipping.convert("litert-float16"))
    shipped_version.keep(registry, registry.version("1"), made, "a test")
    code, said, _ = call("export", "kept", "--model", "1")
    assert code == 0
    assert said.startswith("slimderm version 1 as litert-float16: ")
    assert (clone / "kept/model.tflite").read_bytes() == made.artefact
    assert json.loads((clone / "kept/ledger.json").read_text()) == made.ledger
    code, said, _ = call("export", "named", "--model", "1", "--target", "litert-float32")
    assert code == 0
    assert said.startswith("slimderm version 1 as litert-float32: ")


@pytest.mark.slow  # MLflow is imported
def test_a_version_that_is_not_there_is_an_error(clone, call, registry):
    code, said, _ = call("export", "edge", "--model", "7")
    assert code == 1
    assert "received '7', expected one of 'slimderm': 1" in said
    assert not (clone / "edge").exists()
