"""What MLflow is given for a model: its Keras file, the code that loads it, and its signature."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slimderm.flows.base.carried import copy_code, requirements_of
from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import quiet_stderr
from slimderm.flows.record import served


def write_model(
    folder: Path, file: Path, description: Mapping[str, Any], temperature: float | None
) -> None:
    """Write a folder that MLflow serves, with this clone's code.

    Parameters
    ----------
    folder : path
        Must not exist.
    file : path
        The Keras file, named `slimderm.flows.record.served.KERAS_FILE`.
    description : mapping
        As `slimderm.flows.work.training.Trainer.description` gives it.
    temperature : float or None
        None where nobody has fitted one.
    """
    import mlflow

    with quiet_stderr(), model_parts(file, description) as parts:
        mlflow.pyfunc.save_model(folder, **parts)
    if temperature is not None:
        write_calibration(folder, temperature)


def write_calibration(folder: Path, temperature: float) -> None:
    """Write the file by which a model in a folder knows its temperature."""
    write_json(folder / served.CALIBRATION, {"temperature": temperature})


@contextmanager
def model_parts(file: Path, description: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Gather what ``mlflow.pyfunc`` takes to log or save a model, for as long as the block lasts.

    Parameters
    ----------
    file, description
        As for `write_model`.
    """
    loader = served.__name__
    with TemporaryDirectory() as place, warnings.catch_warnings():
        # To check an example it would load the model, seconds for each that is logged.
        warnings.filterwarnings("ignore", ".*An input example was not provided")
        yield {
            "loader_module": loader,
            "data_path": str(file),
            "code_paths": [str(copy_code(loader, Path(place)))],
            "signature": _signature(description),
            "pip_requirements": [*requirements_of(loader), f"tensorflow=={version('tensorflow')}"],
            "metadata": dict(description),
        }


def _signature(description: Mapping[str, Any]) -> Any:
    """Name what a model is asked with and what it answers.

    MLflow checks that every column is there. Values are of any type to it, because one column takes
    files and pixels, and because the model's own errors say what is expected.
    """
    from mlflow.models import ModelSignature
    from mlflow.types.schema import AnyType, ColSpec, DataType, Schema

    from slimderm.components.classification.classifier import columns_of  # loads compilers

    asked = [ColSpec(AnyType(), name) for name in columns_of(description)]
    answered = {"predicted": DataType.string}
    answered |= dict.fromkeys(description["classes"], DataType.double)
    answered |= {"calibrated": DataType.boolean}
    return ModelSignature(Schema(asked), Schema([ColSpec(t, n) for n, t in answered.items()]))
