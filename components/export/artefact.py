"""From a trained network to the bytes that are shipped."""

from collections.abc import Mapping
from typing import Any

import keras

from slimderm.components.common.errors import ParameterError
from slimderm.components.export.shipped import shipped
from slimderm.components.export.table import get
from slimderm.components.export.target import Inputs


def export(
    model: keras.Model,
    target: str,
    *,
    temperature: float = 1.0,
    encoder: Mapping[str, Any] | None = None,
    calibration: Inputs | None = None,
) -> bytes:
    """Make the file that a small runtime runs.

    Parameters
    ----------
    model : keras.Model
        A functional classifier with inputs called ``image`` and, where there is one, ``metadata``,
        and a softmax; as for `slimderm.components.export.shipped.shipped`.
    target : str
        A key of `slimderm.components.export.table.TARGETS`.
    temperature : float
        Above 0; the file's probabilities are calibrated by it.
    encoder : mapping, optional
        As ``MetadataEncoder.to_dict`` gives it: then the file takes ``age``, ``sex`` and
        ``localization``, as `slimderm.components.export.person.plain_inputs` gives them, instead of
        ``metadata``.
    calibration : mapping of str to float32 array, optional
        For targets with measured ranges: the file's inputs by name, of N rows each, on which the
        ranges of activations are measured; training images, as they come.

    Returns
    -------
    bytes
        Of the file. Whether its runtime loads it, and how far it is from the model, says
        `slimderm.components.export.judge.judge`.

    Raises
    ------
    ParameterError
        For an unknown target, a temperature not above 0, another kind of model, an encoder that
        it does not fit, no calibration where the target needs it, a runtime that is not installed,
        or where Keras does not run on TensorFlow.
    ExportError
        If the converter refuses the model.
    """
    entry = get(target)
    entry.runtime.check()
    if entry.calibrated and not (calibration and all(map(len, calibration.values()))):
        raise ParameterError(
            f"calibration: received none for {target}, expected inputs of training images, by "
            "which the ranges of activations are measured"
        )
    wrapped = shipped(model, temperature=temperature, encoder=encoder)
    return entry.convert(wrapped, calibration or {})
