"""A registered model as other programs have it: by MLflow alone, with plain inputs."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pandas as pd
import pytest

from slimderm.components.classification.classifier import Classifier
from slimderm.flows.base.carried import requirements_of
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry, temperature_of

CLASSES = ["melanoma", "nevus"]
DESCRIPTION = {
    "classes": CLASSES, "size": [8, 10], "variant": "compressed", "k": 6, "codec": "jpeg",
    "quality": 90, "network": "lenet5", "image_only": False,
    "encoder": {
        "age_median": 50.0, "age_mean": 40.0, "age_deviation": 10.0,
        "sexes": ["unknown", "female", "male"], "localizations": ["unknown", "back", "face"],
    },
}  # fmt: skip
PHOTO = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
FILE = cv2.imencode(".png", PHOTO[..., ::-1])[1].tobytes()
ROW = {"image": FILE, "age": 60, "sex": "male", "localization": "back"}


def network():
    keras.utils.set_random_seed(0)
    image, metadata = keras.Input((8, 10, 3), name="image"), keras.Input((3,), name="metadata")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    both = keras.layers.Concatenate()([mean, metadata])
    head = keras.layers.Dense(2, activation="softmax")(both)
    return keras.Model({"image": image, "metadata": metadata}, head)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry with one version, whose alias is champion."""
    folder, before = tmp_path_factory.mktemp("registry"), Path.cwd()
    tracking = os.environ.pop("MLFLOW_TRACKING_URI", None)
    policy = before / "mlflow/registry.yaml"
    os.chdir(folder)
    (folder / "mlflow").mkdir()
    (folder / "mlflow/registry.yaml").write_text(policy.read_text())
    tracker = Tracker(RecordSettings(tracking_uri=f"sqlite:///{folder}/mlflow.db"))
    registry = Registry(tracker)
    network().save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", {}) as run:
        run.model(Path("model.keras"), DESCRIPTION)
    registry.register("k", {"network": "lenet5"})
    yield registry
    os.chdir(before)
    if tracking:
        os.environ["MLFLOW_TRACKING_URI"] = tracking


@pytest.fixture(scope="module")
def loaded(registry):
    """What any program gets from MLflow."""
    return registry.tracker.mlflow.pyfunc.load_model("models:/slimderm/1")


def expected(temperature=None):
    return Classifier(network(), DESCRIPTION, temperature).classify(pd.DataFrame([ROW]))


def test_the_answer_names_classes_and_is_that_of_the_classifier(loaded):
    answer = loaded.predict(pd.DataFrame([ROW]))
    assert list(answer) == ["predicted", *CLASSES, "calibrated"]
    pd.testing.assert_frame_equal(answer, expected())


def test_the_signature_says_what_is_asked_and_what_is_answered(loaded):
    signature = loaded.metadata.signature
    assert signature.inputs.input_names() == ["image", "age", "sex", "localization"]
    assert signature.inputs.required_input_names() == signature.inputs.input_names()
    assert signature.outputs.input_names() == ["predicted", *CLASSES, "calibrated"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"image": (PHOTO.astype(int) * 2).tolist()}, r"image: received pixels from 0 to 510"),
        ({"image": None}, r"image: received null, expected an image file's bytes"),
        ({"image": (PHOTO / 255).tolist()}, "as of an image that was scaled"),
        ({"image": np.where(PHOTO > 250, np.nan, PHOTO).tolist()}, "null, NaN or infinite pixels"),
        ({"age": -1}, "age: received -1, expected years from 0 to 120, or null where unknown"),
        ({"age": "sixty"}, "age: received 'sixty', expected years"),
        ({"sex": "m"}, "sex: received 'm', expected one of female, male; or null or 'unknown'"),
        ({"localization": "moon"}, "localization: received 'moon', expected one of back, face"),
    ],
)
def test_wrong_numbers_and_words_are_refused_with_what_is_expected(registry, loaded, changed, said):
    exception = registry.tracker.mlflow.MlflowException
    with pytest.raises(exception, match=said) as caught:
        loaded.predict(pd.DataFrame([ROW | changed]))
    assert caught.value.get_http_status_code() == 400


def test_a_column_of_another_name_is_refused_not_dropped(registry, loaded):
    asked = pd.DataFrame([ROW]).rename(columns={"localization": "site"})
    with pytest.raises(registry.tracker.mlflow.MlflowException, match=r"missing.*'localization'"):
        loaded.predict(asked)


def test_unknowns_may_be_null_or_said(loaded):
    unknown = {"age": None, "sex": None, "localization": None}
    said = {"age": None, "sex": "unknown", "localization": "unknown"}
    asked = pd.DataFrame([ROW | unknown, ROW | said])
    first, second = loaded.predict(asked)["melanoma"]
    assert first == second


ELSEWHERE = """
import json, sys, mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
row = json.loads(sys.argv[2])
import slimderm
print(json.dumps([slimderm.__file__, *model.predict(pd.DataFrame([row])).to_dict("records")]))
"""


@pytest.mark.slow
def test_it_loads_where_this_repository_is_not_and_is_calibrated_after_a_review(registry, tmp_path):
    version = registry.version("1")
    assert temperature_of(version) is None
    registry.calibrate(version, 1.75)
    assert temperature_of(registry.version("1")) == 1.75
    mlflow = registry.tracker.mlflow
    folder = mlflow.artifacts.download_artifacts("models:/slimderm/1", dst_path=str(tmp_path))
    row = ROW | {"image": base64.b64encode(FILE).decode()}
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE, folder, json.dumps(row)],
        cwd=tmp_path,
        env=kept | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    place, answer = json.loads(done.stdout.splitlines()[-1])
    assert Path(place).is_relative_to(folder)
    (wanted,) = expected(1.75).to_dict("records")
    assert answer.pop("predicted") == wanted.pop("predicted")
    assert answer == pytest.approx(wanted, abs=1e-5)
    assert answer["calibrated"] is True
    assert not (tmp_path / "mlflow.db").exists()  # it asks no tracking server


def test_it_names_the_libraries_that_it_takes():
    named = {each.split("==")[0] for each in requirements_of("slimderm.flows.record.served")}
    assert named >= {"keras", "mlflow", "pandas", "pillow", "opencv-python-headless", "numba"}
    assert not named & {"prefect", "dvc", "matplotlib", "scikit-image"}
