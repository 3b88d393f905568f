"""Files judged on a clone's validation images, and the best of several, by constructed networks."""

import hashlib
import json

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from slimderm.components.common.errors import ExportError, ParameterError
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipping import Shipping

CLASSES = ["melanoma", "nevus"]
ENCODER = {
    "age_median": 50.0, "age_mean": 40.0, "age_deviation": 10.0,
    "sexes": ["unknown", "female", "male"], "localizations": ["unknown", "back", "face"],
}  # fmt: skip
DESCRIPTION = {
    "classes": CLASSES, "size": [8, 10], "variant": "original", "k": None, "codec": "png",
    "quality": 100, "network": "lenet5", "image_only": False, "encoder": ENCODER,
}  # fmt: skip
FEATURES = 8 * 10 * 3 + 3


def network(outlier=0.0):
    """Tells bright from dark, by weights of 0.02 beside one that meets zeros alone.

    In 8 bits a large one takes all values that there are, so the others become 0.
    """
    image, metadata = keras.Input((8, 10, 3), name="image"), keras.Input((3,), name="metadata")
    x = layers.Rescaling(1 / 255, offset=-0.5)(image)
    x = layers.Concatenate()([layers.Flatten()(x), metadata * 0.0])
    x = layers.Dense(32, name="bright")(x)
    model = keras.Model(
        {"image": image, "metadata": metadata}, layers.Dense(2, "softmax", name="head")(x)
    )
    kernel = np.full((FEATURES, 32), 0.02, np.float32)
    kernel[-1] = outlier
    model.get_layer("bright").set_weights([kernel, np.full(32, -0.001, np.float32)])
    head = np.array([[0.02, -0.02]] * 32, np.float32)
    model.get_layer("head").set_weights([head, np.zeros(2, np.float32)])
    return model


def write_dataset(folder, numbers):
    """Bright melanomas and dark nevi, so many of each in each part, one of them also as a copy."""
    images = folder / "data/raw/images"
    images.mkdir(parents=True)
    draw = np.random.default_rng(0)
    rows, splits = [], []
    for part, number in numbers.items():
        for place in range(2 * number):
            name, label = f"{part}{place}", CLASSES[place % 2]
            low, high = (160, 256) if label == "melanoma" else (0, 96)
            cv2.imwrite(f"{images}/{name}.png", draw.integers(low, high, (8, 10, 3), np.uint8))
            person = {"age": 45, "sex": "male", "localization": "back"}
            found = {"image_id": name, "lesion_id": name, "label": label}
            rows.append(found | {"file": f"images/{name}.png"} | person)
            splits.append({"image_id": name, "lesion_id": name, "copy": 0, "part": part})
        splits.append(splits[-1] | {"copy": 1})
    pd.DataFrame(rows).to_csv(folder / "data/raw/catalog.csv", index=False)
    pd.DataFrame(splits).to_csv(folder / "data/splits.csv", index=False)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shipping(model, **changed):
    return Shipping(Network(model, "a test", description=DESCRIPTION, **changed))


def test_the_smallest_that_is_as_good_is_taken_and_the_others_say_why_not(clone, tmp_path):
    write_dataset(clone, {"train": 2, "validation": 60})
    targets = ["litert-float16", "litert-int8"]
    plain = shipping(network()).best(targets).ledger
    assert plain["target"] == "litert-int8"
    assert plain["tried"] == {"litert-float16": "larger, not judged"}
    assert plain["accuracy"]["verdict"] == "non-inferior"
    assert plain["accuracy"]["num_images"] == 120
    assert plain["accuracy"]["metrics"]["balanced_accuracy"]["keras"] == 1.0
    assert plain["warning"] is None

    made = shipping(network(outlier=1e3)).best(targets)
    assert made.ledger["target"] == "litert-float16"
    why = made.ledger["tried"]["litert-int8"]
    assert "bytes, inferior: balanced accuracy 0.500, Keras's 1.000, difference -0.500" in why
    made.write(tmp_path / "out")
    assert json.loads((tmp_path / "out/ledger.json").read_text()) == made.ledger
    assert (tmp_path / "out/model.tflite").read_bytes() == made.artefact
    page = (tmp_path / "out/README.md").read_text()
    assert "| balanced accuracy | 1.000 | 1.000 | +0.000 (" in page


def test_a_file_that_is_worse_is_never_the_best_and_carries_a_warning_by_its_name(clone):
    write_dataset(clone, {"train": 2, "validation": 60})
    spoilt = shipping(network(outlier=1e3))
    with pytest.raises(ExportError, match=r"no target's file runs and .*, inferior: b"):
        spoilt.best(["litert-int8"])
    made = spoilt.judge("litert-int8", spoilt.convert("litert-int8"))
    assert made.verdict == "inferior"
    assert made.ledger["warning"].startswith("this file is worse than the network")


def test_where_images_are_too_few_the_nearest_to_keras_is_taken_with_a_warning(clone):
    write_dataset(clone, {"train": 2, "validation": 3})
    made = shipping(network(outlier=0.05)).best(["litert-int8", "litert-float32"])
    assert made.ledger["target"] == "litert-float32"
    assert made.verdict == "inconclusive"
    assert "too few to show" in made.ledger["warning"]
    assert "bytes, inconclusive: " in made.ledger["tried"]["litert-int8"]


def test_lesions_that_the_version_was_trained_on_do_not_judge_it(clone):
    write_dataset(clone, {"train": 2, "validation": 3})
    known = shipping(network(), trained_on=frozenset({"validation0", "validation3"})).images
    assert set(known.rows["image_id"]) == {f"validation{place}" for place in (1, 2, 4, 5)}
    assert known.words == "images of this clone's validation part"
    assert "is not known" in shipping(network()).images.words


def test_ranges_are_measured_on_training_images_that_the_ledger_names_by_a_hash(clone):
    write_dataset(clone, {"train": 105, "validation": 3})
    ship = shipping(network())
    ledger = ship.judge("litert-static-int8", ship.convert("litert-static-int8")).ledger
    calibration = ledger["calibration"]
    assert (calibration["num_images"], calibration["seed"]) == (200, 0)
    inputs = ship.calibration.for_file(ENCODER)
    order = ("age", "image", "localization", "sex")
    content = b"".join(np.asarray(inputs[name], "<f4").tobytes() for name in order)
    assert calibration["sha256"] == hashlib.sha256(content).hexdigest()
    used = set(ship.calibration.rows["image_id"])
    assert len(used) == 200
    assert all(name.startswith("train") for name in used)
    assert shipping(network())._calibration_told() == calibration  # the same images again


def test_without_images_what_needs_them_is_refused(clone):
    ship = shipping(network())
    with pytest.raises(ParameterError, match="ranges are measured on training images, and there"):
        ship.convert("onnx-static-int8")
    with pytest.raises(ParameterError, match="received best, and there are no labelled validation"):
        ship.best(["litert-int8"])
    ledger = ship.judge("litert-float32", ship.convert("litert-float32")).ledger
    assert (ledger["accuracy"], ledger["warning"], ledger["calibration"]) == (None, None, None)
    assert set(ledger["inputs"]) == {"image", "age", "sex", "localization"}
