"""From a trained network to the bytes that are shipped."""

from collections.abc import Mapping
from typing import Any

import keras

from slimderm.components.export.shipped import shipped
from slimderm.components.export.table import get


def export(
    model: keras.Model,
    target: str,
    *,
    temperature: float = 1.0,
    encoder: Mapping[str, Any] | None = None,
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

    Returns
    -------
    bytes
        Of the file. Whether its runtime loads it, and how far it is from the model, says
        `slimderm.components.export.judge.judge`.

    Raises
    ------
    ParameterError
        For an unknown target, a temperature not above 0, another kind of model, an encoder that
        it does not fit, or where Keras does not run on TensorFlow.
    ExportError
        If the converter refuses the model.
    """
    return get(target).convert(shipped(model, temperature=temperature, encoder=encoder))
