"""Keras's way to LiteRT, which the targets of that runtime share."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras

from slimderm.components.common.errors import ExportError, ParameterError
from slimderm.components.export.target import Runtime

SAID = 300  # characters of what a converter says
LITERT = Runtime("litert", "ai_edge_litert", "ai-edge-litert", ".tflite")


def to_litert(model: keras.Model, *, optimise: bool = False, weights: str | None = None) -> bytes:
    """Convert a model with LiteRT's own operations alone.

    Parameters
    ----------
    model : keras.Model
        Its inputs are a dict, each of a fixed shape with the batch, its output is a dict.
    optimise : bool
        Store weights in fewer bits: int8, unless `weights` says otherwise.
    weights : str, optional
        TensorFlow's name of a dtype for weights, ``float16``.

    Returns
    -------
    bytes
        A ``.tflite`` file.

    Raises
    ------
    ParameterError
        If Keras does not run on TensorFlow.
    ExportError
        If the converter refuses the model; the message holds its words.
    """
    check_backend()
    import tensorflow as tf

    # Without it the converter falls back on operations that no small runtime has.
    target_spec: dict[str, Any] = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}
    settings: dict[str, Any] = {"target_spec": target_spec}
    if optimise:
        settings["optimizations"] = [tf.lite.Optimize.DEFAULT]
    if weights:
        target_spec["supported_types"] = [tf.as_dtype(weights)]
    try:
        return _converted(model, settings)
    except Exception as error:  # each layer and the converter raise what they like
        raise ExportError(
            f"{model.name}: LiteRT's converter refuses the model ({words(error)})"
        ) from error


def check_backend() -> None:
    """Refuse a backend of Keras by which no files are made.

    Raises
    ------
    ParameterError
        For any but TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise ParameterError(
            f"KERAS_BACKEND: received {keras.backend.backend()}, expected tensorflow, by which "
            "files are made; a model file of any backend can be read there"
        )


def words(error: Exception) -> str:
    """Return on one line what an error says: the operations it names, where it does, come first."""
    found = dict.fromkeys(re.findall(r"'tfl?\.\w+' op .*", str(error)))
    said = " ".join("; ".join(found).split() or str(error).split())
    return f"{type(error).__name__}: {said[:SAID]}"


def signature(model: keras.Model) -> list[dict[str, keras.InputSpec]]:
    """Return what names the inputs of a file: else they would be called args_0, args_1."""
    return [
        {
            name: keras.InputSpec(shape=tensor.shape, dtype=tensor.dtype, name=name)
            for name, tensor in model.input.items()
        }
    ]


def _converted(model: keras.Model, settings: Mapping[str, Any]) -> bytes:
    given: dict[str, Any] = {"input_signature": signature(model), "verbose": False, **settings}
    with TemporaryDirectory() as folder:
        file = Path(folder, "model.tflite")
        model.export(file, format="litert", **given)
        return file.read_bytes()
