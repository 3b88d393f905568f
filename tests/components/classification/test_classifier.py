"""A network with its preprocessing, against the same done by hand with OpenCV and NumPy."""

import base64

import cv2
import keras
import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from slimderm.components.classification.classifier import Classifier, columns_of
from slimderm.components.common.errors import SchemaError

CLASSES = ["melanoma", "nevus", "other"]
SIZE = (6, 8)
ENCODER = {
    "age_median": 50.0,
    "age_mean": 40.0,
    "age_deviation": 10.0,
    "sexes": ["unknown", "female", "male"],
    "localizations": ["unknown", "back", "face"],
}
DESCRIPTION = {
    "classes": CLASSES, "size": list(SIZE), "encoder": ENCODER, "variant": "original",
    "k": None, "codec": "png", "quality": 95, "network": "lenet5", "image_only": False,
}  # fmt: skip
PHOTO = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
FILE = cv2.imencode(".png", PHOTO[..., ::-1])[1].tobytes()


@pytest.fixture(scope="module")
def model():
    """Softmax of a linear map of the mean colour and of the metadata."""
    keras.utils.set_random_seed(0)
    image, metadata = keras.Input((*SIZE, 3), name="image"), keras.Input((3,), name="metadata")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    both = keras.layers.Concatenate()([mean, metadata])
    head = keras.layers.Dense(3, activation="softmax", name="head")(both)
    return keras.Model({"image": image, "metadata": metadata}, head)


def by_hand(model, pixels, metadata, temperature=1.0):
    """What the linear network answers, computed without Keras."""
    small = cv2.resize(pixels, SIZE[::-1], interpolation=cv2.INTER_AREA)
    kernel, bias = model.get_layer("head").get_weights()
    logits = np.append(small.mean(axis=(0, 1)) / 255, metadata) @ kernel + bias
    return softmax(logits / temperature)


def rows(**changed):
    row = {"image": FILE, "age": 60, "sex": "male", "localization": "back"}
    return pd.DataFrame([row | changed])


def test_it_answers_as_the_same_done_by_hand(model):
    answer = Classifier(model, DESCRIPTION).classify(rows())
    expected = by_hand(model, PHOTO, [(60 - 40) / 10, 2 / 2, 1 / 2])
    assert list(answer) == ["predicted", *CLASSES, "calibrated"]
    np.testing.assert_allclose(answer[CLASSES].iloc[0].to_numpy(float), expected, atol=1e-5)
    assert answer["predicted"].iloc[0] == CLASSES[int(expected.argmax())]
    assert not answer["calibrated"].iloc[0]


def test_file_base64_and_pixels_give_one_answer(model):
    classifier = Classifier(model, DESCRIPTION)
    asked = [FILE, base64.b64encode(FILE).decode(), PHOTO, PHOTO.tolist()]
    answer = classifier.classify(pd.concat([rows(image=each) for each in asked]))
    assert len(answer[CLASSES].drop_duplicates()) == 1
    assert len(answer) == 4


def test_unknowns_are_the_median_and_the_code_of_unknown(model):
    expected = by_hand(model, PHOTO, [(50 - 40) / 10, 0, 0])
    classifier = Classifier(model, DESCRIPTION)
    for unknown in (None, float("nan"), "unknown"):
        age = None if unknown == "unknown" else unknown
        answer = classifier.classify(rows(age=age, sex=unknown, localization=unknown))
        np.testing.assert_allclose(answer[CLASSES].iloc[0].to_numpy(float), expected, atol=1e-5)


def test_a_temperature_calibrates_and_is_said(model):
    answer = Classifier(model, DESCRIPTION, 2.5).classify(rows())
    expected = by_hand(model, PHOTO, [2, 1, 0.5], 2.5)
    np.testing.assert_allclose(answer[CLASSES].iloc[0].to_numpy(float), expected, atol=1e-5)
    assert answer["calibrated"].iloc[0]


def test_images_are_truncated_and_encoded_as_the_training_images_were(model):
    description = DESCRIPTION | {"variant": "compressed", "k": 5}  # codec png: no further loss
    answer = Classifier(model, description).classify(rows())
    truncated = np.empty_like(PHOTO)
    for channel in range(3):
        left, values, right = np.linalg.svd(PHOTO[..., channel].astype(float))
        whole = (left[:, :5] * values[:5]) @ right[:5]
        truncated[..., channel] = np.clip(np.rint(whole), 0, 255)
    expected = by_hand(model, truncated, [2, 1, 0.5])
    np.testing.assert_allclose(answer[CLASSES].iloc[0].to_numpy(float), expected, atol=1e-4)
    pixels = Classifier(model, description).classify(rows(image=PHOTO))
    pd.testing.assert_frame_equal(pixels, answer)


def test_all_faults_of_a_request_are_said_with_row_and_column(model):
    asked = pd.concat([rows(), rows(sex="m", age=-3), rows(image=[[300]], localization="moon")])
    with pytest.raises(SchemaError) as caught:
        Classifier(model, DESCRIPTION).classify(asked)
    said = str(caught.value)
    assert "row 1, sex: received 'm', expected one of female, male" in said
    assert "row 1, age: received -3, expected years" in said
    assert "row 2, image: received an array of shape (1, 1)" in said
    assert "row 2, localization: received 'moon', expected one of back, face" in said
    assert "row 0" not in said


def test_many_faults_are_counted(model):
    asked = pd.concat([rows(sex="m") for _ in range(8)])
    with pytest.raises(SchemaError, match="and 3 more"):
        Classifier(model, DESCRIPTION).classify(asked)


def test_a_file_that_is_no_image_is_refused(model):
    with pytest.raises(SchemaError, match=r"^image: not an image: expected a JPEG, PNG"):
        Classifier(model, DESCRIPTION).classify(rows(image=b"text"))


@pytest.mark.parametrize("column", ["image", "age", "sex", "localization"])
def test_a_column_that_is_missing_is_named_with_those_expected(model, column):
    with pytest.raises(SchemaError, match="expected image, age, sex, localization"):
        Classifier(model, DESCRIPTION).classify(rows().drop(columns=column))


def test_no_row_is_refused(model):
    with pytest.raises(SchemaError, match="received no row"):
        Classifier(model, DESCRIPTION).classify(rows().iloc[:0])


def test_a_network_of_images_alone_asks_for_images_alone():
    image = keras.Input((*SIZE, 3), name="image")
    pooled = keras.layers.GlobalAveragePooling2D()(image)
    head = keras.layers.Dense(3, activation="softmax")(pooled)
    description = DESCRIPTION | {"image_only": True}
    assert columns_of(description) == ("image",)
    classifier = Classifier(keras.Model({"image": image}, head), description)
    answer = classifier.classify(pd.DataFrame({"image": [FILE]}))
    assert answer[CLASSES].sum(axis=1).iloc[0] == pytest.approx(1)
