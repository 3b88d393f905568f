"""Our side of ``benchmarks/pruning_accuracy.py``: weights carried across, our pruner, ONNX."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from benchmarks import pruning_accuracy_network as network
from slimderm import Budget, Limits, prune
from slimderm.components.export.onnx import to_onnx

NORM = ("weight", "bias", "running_mean", "running_var")  # in Keras's order, too
ALIKE = 1e-4  # of the answers' spread

Evidence = list[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]


def carried(weights: network.Weights, size: Sequence[int]) -> keras.Model:
    """Build the Keras network of weights that have PyTorch's layout, as wide as they are."""

    def normalised(each: network.Convolution, x: Any) -> Any:
        made = len(weights[f"{each.name}.weight"])
        padding = "same"
        if each.stride > 1:  # Keras would pad at one side alone
            x = layers.ZeroPadding2D(each.size // 2)(x) if each.size > 1 else x
            padding = "valid"
        convolution = layers.Conv2D(
            made, each.size, each.stride, padding, use_bias=False, name=each.name
        )
        norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{each.name}_norm")
        return norm(convolution(x))

    def relu(x: Any) -> Any:
        return layers.ReLU()(x)

    classes = len(weights[f"{network.LAST}.weight"])
    built = network.Layers(
        normalised=normalised,
        relu=relu,
        add=lambda x, y: layers.Add()([x, y]),
        halve=layers.MaxPooling2D(2),
        classify=lambda x: layers.Dense(classes, name=network.LAST)(
            layers.GlobalAveragePooling2D()(x)
        ),
    )
    image = keras.Input((*size, 3))
    model = keras.Model(image, network.connected(built, image))
    for each in network.convolutions():
        kernel = weights[f"{each.name}.weight"].transpose(2, 3, 1, 0)
        model.get_layer(each.name).set_weights([kernel])
        norm = [weights[f"{each.name}_norm.{part}"] for part in NORM]
        model.get_layer(f"{each.name}_norm").set_weights(norm)
    last = [weights[f"{network.LAST}.weight"].T, weights[f"{network.LAST}.bias"]]
    model.get_layer(network.LAST).set_weights(last)
    return model


def weights_of(model: keras.Model) -> network.Weights:
    """Return the weights of such a network, pruned or not, in PyTorch's layout."""
    found: network.Weights = {}
    for each in network.convolutions():
        (kernel,) = model.get_layer(each.name).get_weights()
        found[f"{each.name}.weight"] = kernel.transpose(3, 2, 0, 1)
        norm = model.get_layer(f"{each.name}_norm").get_weights()
        for part, value in zip(
            ("weight", "bias", "running_mean", "running_var"), norm, strict=True
        ):
            found[f"{each.name}_norm.{part}"] = value
    kernel, bias = model.get_layer(network.LAST).get_weights()
    return found | {f"{network.LAST}.weight": kernel.T, f"{network.LAST}.bias": bias}


def check_alike(what: str, answers: Any, expected: Any) -> float:
    """Refuse answers that differ; return the largest difference by the spread of what is expected.

    Raises
    ------
    SystemExit
        Saying by how much.
    """
    largest = float(np.abs(answers - expected).max() / expected.std())
    if not largest < ALIKE:
        raise SystemExit(f"{what}: answers differ by {largest:.1e} of their spread, expected less")
    return largest


def pruned(
    model: keras.Model, budget: int, *, evidence: Evidence, multiple: int, **how: Any
) -> keras.Model:
    """Prune until no more than so many multiply-accumulates are left; `how` goes to `prune`."""
    return prune(
        model,
        budget=Budget("multiply_accumulates", budget),
        limits=Limits(multiple=multiple),
        data=evidence,
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **how,
    ).model


def onnx(model: keras.Model) -> bytes:
    """Write a network as a file for one image, with probabilities as its answer."""
    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="image")
    answer = layers.Softmax(name="probabilities")(model(image))
    return to_onnx(keras.Model({"image": image}, {"probabilities": answer}))
