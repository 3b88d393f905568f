"""A version judged on somebody's folder: a network that names the strongest colour."""

import contextlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import confusion_matrix

from slimderm.components.common.errors import IncomparableError, ParameterError, RecordError
from slimderm.components.dataset.catalog import ingest, write_dataset
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.evaluate import evaluate_folder, sentences
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipped_version import TARGET_TAG, keep
from slimderm.flows.work.shipping import Shipping

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # as DVC reads it

CLASSES = ["melanoma", "nevus", "other"]
DX = dict(zip(CLASSES, ("mel", "nv", "bkl"), strict=True))
COLUMNS = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "skin_tone"]
DESCRIPTION = {
    "classes": CLASSES, "size": [8, 8], "variant": "original", "network": "lenet5",
    "image_only": False,
    "encoder": {
        "age_median": 50.0, "age_mean": 50.0, "age_deviation": 10.0,
        "sexes": ["unknown", "female", "male"], "localizations": ["unknown", "back"],
    },
}  # fmt: skip


def network():
    """Names the strongest colour: red melanoma, green nevus, blue other; sees no metadata."""
    image, metadata = keras.Input((8, 8, 3), name="image"), keras.Input((3,), name="metadata")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    both = keras.layers.Concatenate()([mean, metadata])
    head = keras.layers.Dense(3, activation="softmax")
    model = keras.Model({"image": image, "metadata": metadata}, head(both))
    head.set_weights([np.vstack([4 * np.eye(3), np.zeros((3, 3))]), np.zeros(3)])
    return model


def photo(seed, colour):
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 100, (16, 16, 3), dtype=np.uint8)
    pixels[..., colour] += 120
    return cv2.imencode(".png", pixels[..., ::-1])[1].tobytes()


def dataset(folder, lesions):
    """Write a dataset: image_id, lesion, shown class, labelled class, and a person's data each."""
    folder.mkdir(parents=True)
    rows = []
    for number, (image_id, lesion, shown, labelled, *person) in enumerate(lesions):
        data = photo((len(folder.name), number), CLASSES.index(shown))
        (folder / f"{image_id}.png").write_bytes(data)
        rows.append([lesion, image_id, DX[labelled], "histo", *person])
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "HAM10000_metadata.csv", index=False)


def new_lesions():
    """50 new lesions: 25 women, 22 men with wrong answers among them, 3 of unknown sex."""
    for number in range(50):
        sex = "female" if number < 25 else "male" if number < 47 else "unknown"
        shown = CLASSES[number % 3]
        labelled = CLASSES[(number + 1) % 3] if number % 7 == 0 else shown
        site = "moon" if number < 4 else "back"
        tone = "VI" if number < 30 else "I"
        yield f"new{number}", f"N{number}", shown, labelled, "40", sex, site, tone


TRAINED = [
    (
        f"old{number}",
        f"O{number}",
        CLASSES[number % 3],
        CLASSES[number % 3],
        "60",
        "male",
        "back",
        "",
    )
    for number in range(12)
]
PARAMS = """\
ingest: {source: own}
evaluate: {bootstrap_samples: 100}
record: {tracking_uri: "sqlite:///mlflow.db"}
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A clone with a version that was trained on `TRAINED`, and its data versions in DVC."""
    from dvc.repo import Repo

    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("evaluate") / "clone"
    shutil.copytree(Path("mlflow"), folder / "mlflow")
    patch.chdir(folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("params.yaml").write_text(PARAMS)
    dataset(Path("trained"), TRAINED)
    catalog = ingest(Path("trained"), classes=PAPER_CLASSES)
    write_dataset(catalog, Path("trained"), None, layout.RAW)
    parts = catalog.images[["image_id", "lesion_id"]].assign(part="train")
    parts.loc[parts["image_id"].isin(["old8", "old9"]), "part"] = "validation"
    parts.loc[parts["image_id"].isin(["old10", "old11"]), "part"] = "test"
    parts.to_csv(layout.SPLITS, index=False)
    Repo.init(no_scm=True).close()
    outs = [str(layout.RAW), str(layout.SPLITS)]
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"make": {"cmd": "true", "outs": outs}}}))
    subprocess.run(["dvc", "commit", "-q", "-f"], check=True)
    tracker = Tracker(read_params().record)
    tags = {f"dvc.{Path(path).name}": md5 for path, md5 in dvc_lock.output_hashes(*outs).items()}
    network().save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", tags) as run:
        run.model(Path("model.keras"), DESCRIPTION)
    registry = Registry(tracker)
    registry.register("k", {"network": "lenet5"})
    yield registry
    patch.undo()


def others():
    """The same folder, with what the version knows under old and under new names."""
    yield from new_lesions()
    yield "old0", "N100", "melanoma", "melanoma", "40", "male", "back", "I"  # its image's id
    yield "new101", "O1", "nevus", "nevus", "40", "male", "back", "I"  # its lesion's id


@pytest.fixture(scope="module")
def judged(clone):
    dataset(Path("own"), list(others()))
    shutil.copy("trained/old2.png", "own/renamed.png")  # its bytes
    table = pd.read_csv("own/HAM10000_metadata.csv", dtype=str)
    table.loc[len(table)] = ["N102", "renamed", "bkl", "histo", "40", "male", "back", "I"]
    table.to_csv("own/HAM10000_metadata.csv", index=False)
    clone.promotions.promote(clone.version("1"), "first")
    return evaluate_folder("own")


def test_what_was_trained_on_is_left_out_and_counted(judged):
    left_out = pd.read_csv(judged.folder / "left_out.csv").set_index("image_id")["reason"]
    assert left_out.to_dict() == {"old0": "image_id", "new101": "lesion_id", "renamed": "sha256"}
    assert set(judged.evaluation.images["image_id"]) == {f"new{number}" for number in range(50)}
    assert "3 images were left out" in " ".join(sentences(judged.evaluation)["judged"])


def test_the_figures_are_those_counted_by_hand(judged):
    found = judged.evaluation
    rows = list(new_lesions())
    labelled, shown = [row[3] for row in rows], [row[2] for row in rows]
    expected = confusion_matrix(labelled, shown, labels=CLASSES)
    np.testing.assert_array_equal(found.confusion, expected)
    value, low, high = found.metrics["accuracy"]
    assert value == np.trace(expected) / 50
    assert low < value < high
    written = pd.read_csv(judged.folder / "metrics.csv").set_index("metric")
    assert written.loc["accuracy", "value"] == value


def test_every_group_is_listed_and_the_small_one_is_said(judged):
    found = pd.read_csv(judged.folder / "subgroups.csv", keep_default_na=False)
    groups = set(zip(found["by"], found["group"], strict=True))
    assert groups == {
        ("age", "30 to 44"), ("sex", "female"), ("sex", "male"), ("sex", "unknown"),
        ("localization", "back"), ("localization", "moon"), ("skin tone", "I"), ("skin tone", "VI"),
    }  # fmt: skip
    small = found[found["note"].str.startswith("too small")]
    assert set(small["group"]) == {"unknown", "moon"}
    said = " ".join(sentences(judged.evaluation)["judged"])
    assert "4 images have a localization that the version does not know" in said


def test_the_page_holds_its_pictures_and_loads_nothing(judged):
    page = (judged.folder / "index.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert len(sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "Not a medical device" in page
    assert "too small to judge" in page
    assert "nothing is calibrated" in page


def test_it_is_a_run_of_its_own_linked_to_the_version(judged, clone):
    client = clone.tracker.client
    run = client.get_run(judged.run_id)
    assert run.data.tags["evaluated.model"] == "slimderm/1"
    assert run.data.tags["evaluated.run"] == clone.version("1").run_id
    assert clone.version("1").tags["evaluation.own"] == judged.run_id
    accuracy = judged.evaluation.metrics["accuracy"]
    names = ("quality/accuracy", "quality/accuracy_low", "quality/accuracy_high")
    assert [run.data.metrics[name] for name in names] == list(accuracy)
    assert run.data.metrics["count/num_left_out"] == 3
    assert {"calibration/ece"} <= run.data.metrics.keys()
    assert "index.html" in {file.path for file in client.list_artifacts(judged.run_id)}


def test_the_same_again_is_the_same_run_and_a_temperature_makes_another(judged, clone):
    assert evaluate_folder("own", "slimderm/1").run_id == judged.run_id
    clone.calibrate(clone.version("1"), 0.5)
    again = evaluate_folder("own", "1")
    assert again.run_id != judged.run_id
    assert again.evaluation.calibration.keys() == {"ece", "ece_calibrated"}
    assert again.evaluation.metrics["accuracy"] == judged.evaluation.metrics["accuracy"]
    given, before = again.evaluation, judged.evaluation
    np.testing.assert_allclose(given.probabilities, before.probabilities, atol=1e-6)
    assert given.calibration["ece"] == pytest.approx(before.calibration["ece"], abs=1e-6)
    assert np.abs(given.calibrated - before.calibrated).max() > 0.01


def test_what_is_judged_is_the_file_that_is_shipped(judged, clone, tmp_path):
    """The file is of a network that takes red for green: its confusion shows it."""
    version, other = clone.version("1"), network()
    kernel, bias = other.layers[-1].get_weights()
    other.layers[-1].set_weights([kernel[:, [1, 0, 2]], bias])
    shipping = Shipping(Network(other, "a test", 255.0, 0.5, DESCRIPTION))
    with contextlib.chdir(tmp_path):  # where no validation images are
        made = shipping.judge("litert-float32", shipping.convert("litert-float32"))
    keep(clone, version, made, "")
    try:
        found = evaluate_folder("own", "1")
        evaluation = found.evaluation
        columns = judged.evaluation.confusion[:, [1, 0, 2]]
        np.testing.assert_array_equal(evaluation.confusion, columns)
        assert "What answered: litert-float32, " in sentences(evaluation)["judged"][0]
        assert found.run_id != judged.run_id
        before = judged.evaluation.probabilities[:, [1, 0, 2]]  # no temperature
        np.testing.assert_allclose(evaluation.probabilities, before, atol=1e-5)
    finally:
        clone.tag(version, {TARGET_TAG: "none"})


def test_a_folder_that_was_trained_on_leaves_the_test_lesions(clone):
    found = evaluate_folder("trained", "1").evaluation
    assert set(found.images["image_id"]) == {"old10", "old11"}


def test_refusals_say_what_was_received_and_expected(clone, tmp_path):
    with pytest.raises(ParameterError, match="DATA: received 'nowhere', expected a folder"):
        evaluate_folder("nowhere", "1")
    with pytest.raises(ParameterError, match="DATA: received '', expected a folder"):
        evaluate_folder("", "1")
    with pytest.raises(RecordError, match="VERSION: received '7', expected one of"):
        evaluate_folder("trained", "7")
    dataset(Path("seen"), TRAINED[:3])
    with pytest.raises(IncomparableError, match="all 3 images are of lesions that it was trained"):
        evaluate_folder("seen", "1")
    dataset(Path("negative"), [])
    shutil.copytree("seen", "negative", dirs_exist_ok=True)
    (Path("negative") / "negatives").mkdir()
    (Path("negative") / "negatives/skin.png").write_bytes(photo(7, 0))
    with pytest.raises(IncomparableError, match="received images of negative, expected melanoma"):
        evaluate_folder("negative", "1")


def test_a_version_whose_data_are_lost_is_refused_and_one_in_the_cache_is_judged(clone, judged):
    lock = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    layout.CATALOG.unlink()
    try:
        found = evaluate_folder("own", "1").evaluation  # by the cache's own table
        assert len(found.left_out) == 3
        for path in Path(".dvc/cache").rglob("*"):
            if path.is_file():
                path.unlink()
        with pytest.raises(IncomparableError, match="could not be left out; `make pull`"):
            evaluate_folder("own", "1")
    finally:
        Path("dvc.lock").write_text(lock)


def test_what_a_script_gets_is_json(judged):
    from slimderm.flows.serving.evaluate import as_json

    answer = json.loads(json.dumps(as_json(judged)))
    assert answer["model"] == "slimderm/1"
    assert answer["figures"]["num_images"] == 50
