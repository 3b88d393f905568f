"""The graph that is shipped: one image at a time, inputs and output by name, calibrated."""

from collections.abc import Mapping
from math import isfinite
from numbers import Real
from typing import Any

import keras
from keras import ops

from slimderm.components.common.errors import ParameterError
from slimderm.components.export.person import encoded
from slimderm.components.model_graph.calls import check_model, ends, packed
from slimderm.components.model_graph.copies import config_of, configs_by_path, copied
from slimderm.components.model_graph.outputs import last_activation
from slimderm.components.training.metadata import COLUMNS

IMAGE, METADATA, PROBABILITIES = "image", "metadata", "probabilities"
FLOAT32 = "float32"
SMALLEST = 1e-30  # of a probability, above what float32 rounds to zero


def shipped(
    model: keras.Model, *, temperature: float = 1.0, encoder: Mapping[str, Any] | None = None
) -> keras.Model:
    """Wrap a classifier as it is shipped.

    Parameters
    ----------
    model : keras.Model
        Functional; its inputs are called ``image`` and, where there is a second one, ``metadata``;
        its one output is a softmax.
    temperature : float
        Above 0. Logits are divided by it, which in probabilities is p^(1/T), made to sum to 1.
    encoder : mapping, optional
        As ``MetadataEncoder.to_dict`` gives it: then the graph takes a person plainly, and encodes.

    Returns
    -------
    keras.Model
        Inputs ``{"image": (1, height, width, channels), "metadata": (1, M)}``, with an encoder
        ``age`` in years and the places of ``sex`` and ``localization`` in its lists, (1, 1) each,
        instead of ``metadata``; output ``{"probabilities": (1, C)}``; all float32, as are all
        layers.

    Raises
    ------
    ParameterError
        For another model, an image of no fixed size, such a temperature, or an encoder beside a
        network that does not take its three numbers.
    """
    is_number = isinstance(temperature, Real) and not isinstance(temperature, bool)
    if not is_number or not isfinite(temperature) or temperature <= 0:
        raise ParameterError(f"temperature: received {temperature!r}, expected a number above 0")
    check_classifier(model)
    shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in ends(model)[0]}
    if encoder is not None:
        _check_encoded(model, shapes)
    person = {METADATA} & set(shapes) if encoder is None else COLUMNS
    inputs = {
        name: keras.Input(shapes.get(name, (1,)), batch_size=1, dtype=FLOAT32, name=name)
        for name in (IMAGE, *person)
    }
    given = inputs | ({} if encoder is None else {METADATA: encoded(inputs, encoder)})
    model = in_float32(model)
    packing = packed(model, [given[name] for name in shapes])
    (output,) = keras.tree.flatten(model(packing, training=False))
    return keras.Model(inputs, {PROBABILITIES: _tempered(output, temperature)}, name=model.name)


def _check_encoded(model: keras.Model, shapes: Mapping[str, tuple[int, ...]]) -> None:
    if shapes.get(METADATA) != (len(COLUMNS),):
        raise ParameterError(
            f"encoder: received one beside {model.name}, whose inputs are "
            f"{', '.join(f'{name} {shape}' for name, shape in sorted(shapes.items()))}, expected "
            f"{METADATA} of the shape ({len(COLUMNS)},); give none"
        )


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model that computes in float32: itself, or a copy of one of mixed precision.

    LiteRT's own operations do not multiply in bfloat16.
    """
    config, mixed = config_of(model), False
    for layer in configs_by_path(model, config).values():
        if keras.dtype_policies.get(layer.get("dtype") or FLOAT32).compute_dtype != FLOAT32:
            layer["dtype"], mixed = FLOAT32, True
    return copied(model, config) if mixed else model


def _tempered(probabilities: Any, temperature: float) -> Any:
    if temperature == 1:
        return ops.cast(probabilities, FLOAT32)
    # (1, C): logits but for a constant, which the softmax forgets
    logits = ops.log(ops.maximum(ops.cast(probabilities, FLOAT32), SMALLEST))
    return ops.softmax(logits / temperature)


def check_classifier(model: Any) -> None:
    """Refuse what is no classifier of images with named inputs.

    Raises
    ------
    ParameterError
        The message says what is missing.
    """
    check_model(model)
    inputs, outputs = ends(model)
    names = sorted(tensor.name for tensor in inputs)
    if names not in ([IMAGE], [IMAGE, METADATA]):
        raise ParameterError(
            f"{model.name}: received inputs called {', '.join(names)}, expected {IMAGE} or {IMAGE} "
            f"and {METADATA}; name them, as in keras.Input(shape, name={IMAGE!r})"
        )
    for tensor in inputs:
        if None in tensor.shape[1:]:
            raise ParameterError(
                f"{model.name}: received the input {tensor.name} of the undefined size "
                f"{tensor.shape[1:]}, expected a fixed size"
            )
    activation = last_activation(model)
    if len(outputs) != 1 or len(outputs[0].shape) != 2 or activation != "softmax":
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in outputs)
        raise ParameterError(
            f"{model.name}: received outputs of shape {shapes} by {activation or 'no activation'}, "
            "expected one of shape (None, classes) by a softmax"
        )
