"""A registered model as MLflow loads it, wherever it does: served, or in another's program.

A model carries this file and what it imports (`slimderm.flows.base.carried`). So nothing of the
clone may be needed here but `components`.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slimderm.components.common.errors import SlimDermError

if TYPE_CHECKING:
    import pandas as pd

    from slimderm.components.classification.classifier import Classifier

KERAS_FILE = "model.keras"
CALIBRATION = "calibration.json"  # in the model's folder, once a review has fitted a temperature


class ServedModel:
    """A `Classifier` whose errors reach whoever asks over HTTP."""

    def __init__(self, classifier: "Classifier") -> None:
        self.classifier = classifier

    def predict(self, model_input: "pd.DataFrame", params: Any = None) -> "pd.DataFrame":
        """Classify a row each; columns and answer as `Classifier.classify` has them.

        Raises
        ------
        MlflowException
            If a value is not what is expected; over HTTP the status is 400.
        """
        from mlflow.exceptions import MlflowException

        try:
            return self.classifier.classify(model_input)
        except SlimDermError as error:
            raise MlflowException.invalid_parameter_value(str(error)) from error


def _load_pyfunc(data_path: str) -> ServedModel:
    """Load a model from its Keras file in the folder that MLflow wrote; MLflow calls this."""
    import keras
    from mlflow.models import Model

    from slimderm.components.classification.classifier import Classifier

    file = Path(data_path)
    folder = file.parents[1]
    description = dict(Model.load(folder).metadata)
    calibration = folder / CALIBRATION
    temperature = None
    if calibration.exists():
        temperature = float(json.loads(calibration.read_text())["temperature"])
    network = keras.models.load_model(file, compile=False, safe_mode=True)
    return ServedModel(Classifier(network, description, temperature))
