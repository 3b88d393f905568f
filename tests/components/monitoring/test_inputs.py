"""What is recorded in place of a picture and a person."""

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from skimage.color import rgb2lab

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.monitoring.embedding import with_embedding
from slimderm.components.monitoring.inputs import (
    decade,
    pack,
    person_words,
    picture_numbers,
    unpack,
)

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


def test_colours_are_those_of_cielab():
    lab = rgb2lab(NOISE)
    found = picture_numbers(NOISE)
    wanted = {
        "contrast": lab[..., 0].std(),
        "red_green": lab[..., 1].mean(),
        "yellow_blue": lab[..., 2].mean(),
        "red_green_spread": lab[..., 1].std(),
        "yellow_blue_spread": lab[..., 2].std(),
    }
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=0.01, abs=0.1)
    assert found["brightness"] == pytest.approx(
        cv2.cvtColor(NOISE, cv2.COLOR_RGB2GRAY).mean(), 0.01
    )
    assert (found["height"], found["width"]) == (60, 80)
    blurred = picture_numbers(cv2.GaussianBlur(NOISE, (0, 0), 2))
    assert blurred["sharpness"] < found["sharpness"] / 10


def test_of_a_person_there_is_no_age_in_years_and_nothing_but_what_the_network_reads():
    person = {"age": 47.0, "sex": "female", "localization": None, "name": "somebody"}
    assert person_words(person) == {"age": "40 to 49", "sex": "female", "localization": "unknown"}
    assert person_words({"name": "somebody"}) == {}
    ages = [0, 9.9, 90, 120, float("nan"), None]
    expected = ["0 to 9", "0 to 9", "90 and more", "90 and more", "unknown", "unknown"]
    assert [decade(age) for age in ages] == expected


def test_an_embedding_is_read_as_it_was_written_to_three_digits():
    vector = np.random.default_rng(0).normal(size=300) * 100
    np.testing.assert_allclose(unpack(pack(vector)), vector, rtol=1e-3, atol=1e-4)
    assert np.isfinite(unpack(pack(np.array([1e9, -np.inf])))).all()
    with pytest.raises(SchemaError, match="received 'no base64'"):
        unpack("no base64")


DESCRIPTION = {"classes": ["a", "b"], "size": [6, 8], "image_only": True}


def network():
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 8, 3), name="image")
    x = keras.layers.Conv2D(5, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(image))
    x = keras.layers.Dense(4, activation="relu")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model({"image": image}, keras.layers.Dense(2, activation="softmax")(x))


def test_the_embedding_is_what_the_last_layer_reads_and_answers_stay_the_same():
    images = list(np.random.default_rng(0).integers(0, 256, (3, 6, 8, 3), dtype=np.uint8))
    people = pd.DataFrame(index=range(3))
    plain = Classifier(network(), DESCRIPTION, 1.5)
    found = with_embedding(plain, plain.model).answer(images, people)
    expected = plain.answer(images, people)
    pd.testing.assert_frame_equal(found.drop(columns="embedding"), expected)
    vectors = np.stack([unpack(text) for text in found["embedding"]]).astype(float)
    kernel, bias = plain.model.layers[-1].get_weights()
    shares = np.exp((vectors @ kernel + bias) / 1.5)
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, expected[["a", "b"]], atol=2e-3)


def test_a_network_without_a_kernel_is_refused():
    image = keras.Input((6, 8, 3), name="image")
    model = keras.Model({"image": image}, keras.layers.GlobalAveragePooling2D()(image))
    with pytest.raises(ParameterError, match="no layer with a kernel"):
        with_embedding(Classifier(model, DESCRIPTION), model)
