"""Build a network of the table in Keras 3, of its own or of pruned widths."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from slimderm.components.keras_support.seeding import seeded
from slimderm.components.training.networks import get
from slimderm.components.training.networks.network import (
    METADATA_DROPOUT_AFTER,
    METADATA_UNITS,
    Network,
    Widths,
    feature_map,
    resolve_widths,
)

# Keras's default of 0.99 needs some 500 steps to forget its start; a short run has fewer, and its
# validation would be judged with statistics the network never saw.
NORMALISATION_MOMENTUM = 0.9


def build(
    name: str,
    *,
    num_classes: int,
    input_shape: tuple[int, int] | tuple[int, int, int] = (200, 100, 3),
    num_metadata: int = 3,
    convolutions: Sequence[int] | None = None,
    dense: Sequence[int] | None = None,
    image_only: bool = False,
    dropout: float | None = None,
    precision: str = "float32",
    seed: int = 0,
) -> keras.Model:
    """Build a network, of its own or of given widths, with fresh weights.

    Parameters
    ----------
    name : str
        A key of `slimderm.components.training.networks.NETWORKS`.
    num_classes : int
        Units of the softmax.
    input_shape : tuple of int
        Height, width and, optionally, the 3 channels.
    num_metadata : int
        Length of the metadata vector.
    convolutions, dense : sequence of int, optional
        Widths in the order of `Network.convolutions` and `Network.dense`.
    image_only : bool
        Leave the metadata branch out (the ablation).
    dropout : float, optional
        Rate in [0, 1) instead of the network's own; where it acts is the network's.
    precision : str
        Keras dtype policy of every layer but the softmax, which is float32.
    seed : int
        Seeds Keras's, NumPy's and Python's global generators, from which weights and dropout draw.

    Returns
    -------
    keras.Model
        Inputs ``{"image": (N, H, W, 3) in 0..255, "metadata": (N, num_metadata) float32}``, output
        ``probabilities`` (N, num_classes) float32. Layers are named by their place, ``conv1``,
        ``block1_conv1``, ``dense1``, ``tail``, ``head``, ``metadata1``. Not compiled.

    Raises
    ------
    ParameterError
        For an unknown name, widths that do not fit, or an image too small for the network.
    """
    network = get(name)
    widths = resolve_widths(network, convolutions, dense)
    feature_map(network, *input_shape[:2])
    rate = network.dropout if dropout is None else dropout
    with seeded(seed):
        image = keras.Input((*input_shape[:2], 3), name="image")
        inputs = {"image": image}
        features = _image_branch(network, image, widths, rate, precision)
        if not image_only:
            inputs["metadata"] = keras.Input((num_metadata,), name="metadata")
            described = metadata_branch(inputs["metadata"], rate, precision)
            features = layers.Concatenate(dtype=precision)([features, described])
        x = layers.Dense(network.head, activation="relu", dtype=precision, name="head")(features)
        # float32 whatever the precision: a softmax in bfloat16 has three digits.
        output = layers.Dense(num_classes, "softmax", dtype="float32", name="probabilities")(x)
        return keras.Model(inputs, output, name=name)


def _normalise(x: Any, precision: str) -> Any:
    return layers.BatchNormalization(momentum=NORMALISATION_MOMENTUM, dtype=precision)(x)


def _image_branch(network: Network, image: Any, widths: Widths, rate: float, precision: str) -> Any:
    convolutions, dense = widths
    x = layers.Rescaling(1 / 255, dtype=precision)(image)  # (N, H, W, 3) in [0, 1]
    x = _convolve(network, x, convolutions, rate, precision)
    x = layers.Flatten(dtype=precision)(x)  # (N, height * width * filters)
    for index, units in enumerate(dense):
        name = f"dense{index + 1}"
        x = layers.Dense(units, activation="relu", dtype=precision, name=name)(x)
        if rate and "dense" in network.dropout_at:
            x = layers.Dropout(rate, dtype=precision)(x)
    for units in network.tail:
        x = layers.Dense(units, activation="relu", dtype=precision, name="tail")(x)
    # Without it Adam's first steps at the paper's 0.002 leave the head's few ReLUs dead, and the
    # deep networks answer 1 / num_classes for ever.
    return _normalise(x, precision)


def _convolve(
    network: Network, x: Any, convolutions: Sequence[int], rate: float, precision: str
) -> Any:
    for index, filters in enumerate(convolutions):
        if index < len(network.stages):
            x = _stage(network, index, x, filters, precision)
        else:
            block = f"block{index + 1 - len(network.stages)}"
            x = _residual_block(x, filters, precision, block)
        if rate and "convolutions" in network.dropout_at:
            x = layers.Dropout(rate, dtype=precision)(x)
    return x


def _stage(network: Network, index: int, x: Any, filters: int, precision: str) -> Any:
    stage = network.stages[index]
    x = layers.Conv2D(
        filters,
        stage.kernel,
        strides=stage.stride,
        padding=stage.padding,
        activation="relu",
        dtype=precision,
        name=f"conv{index + 1}",
    )(x)
    if stage.pool:
        x = layers.MaxPooling2D(2, padding=network.pool_padding, dtype=precision)(x)
    return _normalise(x, precision)


def _residual_block(x: Any, filters: int, precision: str, name: str) -> Any:
    """Two 3x3 convolutions with a skip, projected by a 1x1 convolution where widths differ."""
    skip = x
    if x.shape[-1] != filters:
        skip = layers.Conv2D(filters, 1, dtype=precision, name=f"{name}_skip")(x)
    same = {"padding": "same", "dtype": precision}
    x = layers.Conv2D(filters, 3, activation="relu", name=f"{name}_conv1", **same)(x)
    x = _normalise(x, precision)
    x = layers.Conv2D(filters, 3, name=f"{name}_conv2", **same)(x)
    x = _normalise(x, precision)
    return layers.ReLU(dtype=precision)(layers.Add(dtype=precision)([x, skip]))


def metadata_branch(metadata: Any, rate: float, precision: str) -> Any:
    """Add dense layers to encoded metadata, each normalised before its ReLU.

    Without normalisation a branch so narrow is dead in four of ten fresh networks: its last unit
    answers 0 to everybody, and no gradient brings it back (docs/decisions/0019-judged-network.md).

    Parameters
    ----------
    metadata : KerasTensor
        (N, num_metadata) float32.
    rate : float
        Of dropout after the layers of `METADATA_DROPOUT_AFTER`; 0 for none.
    precision : str
        Keras dtype policy of the layers.

    Returns
    -------
    KerasTensor
        (N, 1), at least 0.
    """
    x = metadata  # (N, num_metadata)
    for index, units in enumerate(METADATA_UNITS):
        x = layers.Dense(units, dtype=precision, name=f"metadata{index + 1}")(x)
        x = layers.ReLU(dtype=precision)(_normalise(x, precision))
        if rate and index in METADATA_DROPOUT_AFTER:
            x = layers.Dropout(rate, dtype=precision)(x)
    return x
