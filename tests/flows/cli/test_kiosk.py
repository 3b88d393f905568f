"""`slimderm kiosk`: what it refuses, before anything is built."""

import re

import keras
import pytest
from keras import layers


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["open"], "action: received 'open', expected build or serve"),
        (["build"], "OUT: received no name, expected that of a folder to be made"),
        (["build", "full"], "OUT: received 'full', which exists and is no empty folder"),
        (["build", "model.keras", "out", "--model", "3"], "FILE: received model.keras, expected"),
        (["build", "none.keras", "out"], "model: received 'none.keras', expected a file that exi"),
        (["serve", "full"], "FOLDER: received 'full', expected one that `slimderm kiosk build`"),
    ],
)
def test_what_cannot_be_built_or_served_is_refused(clone, call, arguments, said):
    (clone / "full").mkdir()
    (clone / "full/file").touch()
    code, out, errors = call("kiosk", *arguments)
    assert code == 1
    assert said in out + errors
    assert not (clone / "out").exists()


@pytest.mark.parametrize(
    ("shape", "person", "said"),
    [
        ((8, 10, 1), 0, r"received an image of shape \(8, 10, 1\), expected \(height, width, 3\)"),
        ((8, 10, 3), 3, "received a model file that takes metadata, expected one that takes an im"),
    ],
)
def test_a_model_that_the_page_cannot_feed_is_refused(clone, call, shape, person, said):
    image = keras.Input(shape, name="image")
    given, x = {"image": image}, layers.Flatten()(image)
    if person:
        given["metadata"] = keras.Input((person,), name="metadata")
        x = layers.Concatenate()([x, given["metadata"]])
    keras.Model(given, layers.Dense(2, "softmax")(x)).save(clone / "model.keras")
    code, out, errors = call("kiosk", "build", "model.keras", "out")
    assert code == 1
    assert re.search(said, out + errors)
    assert not (clone / "out").exists()
