"""Classify one image with the champion, else the challenger, for `make predict`."""

from pathlib import Path

import pandas as pd

from slimderm.components.common.errors import ParameterError
from slimderm.components.dataset.images import read_image
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.promotions import GATES_TAG
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.service.settings import ServiceSettings
from slimderm.flows.serving.shipped import classifier_of


def predict(image: Path, age: str, sex: str, site: str) -> tuple[str, dict[str, float]]:
    """Give each class's probability, calibrated if a review has fitted a temperature.

    Parameters
    ----------
    image : path
        A dermatoscopic image.
    age : str
        Years, or empty where unknown.
    sex, site : str
        As HAM10000 writes them, or empty where unknown.

    Returns
    -------
    version : str
        Name, version and alias of the model.
    probabilities : dict of str to float
        Class to probability; they sum to 1.

    Raises
    ------
    ParameterError
        If `age` is no number of years.
    ImageError
        If the file is no image.
    SchemaError
        If age, sex or site is not what the model knows; the message says what is expected.
    RecordError
        If neither champion nor challenger is registered, or the champion's gates failed.
    """
    try:
        years = float(age) if age else float("nan")
    except ValueError:
        raise ParameterError(f"AGE: received {age!r}, expected years, e.g. AGE=45") from None
    read_image(image)  # the error names a file that is no image
    registry = Registry(Tracker(read_params().record))
    alias = "champion" if registry.aliased("champion") else "challenger"
    version = (
        registry.promotions.served() if alias == "champion" else registry.expected("challenger")
    )
    by_keras = ServiceSettings.read().by_keras
    classifier = classifier_of(registry, version, by_keras=by_keras)
    person = {"age": years, "sex": sex or None, "localization": site or None}
    (answer,) = classifier.classify(
        pd.DataFrame([{"image": image.read_bytes(), **person}])
    ).to_dict("records")
    description = classifier.description
    gates = version.tags.get(GATES_TAG, "not judged")
    said = "" if gates == "passed" else f", gates {gates}"
    name = f"{version.name} version {version.version} ({alias}{said}, {description['network']})"
    return name, {label: float(answer[label]) for label in description["classes"]}
