"""Keras's way to ONNX, which the targets of that form share."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np

from slimderm.components.common.errors import ExportError
from slimderm.components.export.litert import check_backend, signature, words
from slimderm.components.export.target import Runtime

OPSET = 17  # 20 is refused by tf2onnx
ONNX = Runtime("onnx", "onnxruntime", "onnxruntime", ".onnx")


def to_onnx(model: keras.Model) -> bytes:
    """Convert a model.

    Parameters
    ----------
    model : keras.Model
        Its inputs are a dict, each of a fixed shape with the batch, its output is a dict.

    Returns
    -------
    bytes
        An ``.onnx`` file with weights as they were trained.

    Raises
    ------
    ParameterError
        If Keras does not run on TensorFlow.
    ExportError
        If the converter refuses the model; the message holds its words.
    """
    check_backend()
    import slimderm.components.export.onnx_erfc  # noqa: F401  # registers what it adds

    with TemporaryDirectory() as folder, warnings.catch_warnings(), _readable(model):
        # Keras gives tf2onnx 1.17 a name that NumPy no longer has.
        warnings.filterwarnings("ignore", ".*np.object", FutureWarning)
        file = Path(folder, "model.onnx")
        arguments = {"opset_version": OPSET, "input_signature": signature(model)}
        try:
            model.export(file, format="onnx", verbose=False, **arguments)
        except Exception as error:  # each layer and the converter raise what they like
            raise ExportError(
                f"{model.name}: the converter to ONNX refuses the model ({words(error)})"
            ) from error
        made = file.read_bytes()
    _check(model, made)
    return made


@contextmanager
def _readable(model: keras.Model) -> Iterator[None]:
    """Let Keras write what the converter can read, while the block lasts.

    Convolutions in groups are functions of their own, compiled by XLA, unless functions run
    eagerly. Of a tensor that is no weight the converter makes an input, of an array a constant.
    """
    import tensorflow as tf

    parts = model._flatten_layers()
    found = [part for part in parts if isinstance(part, keras.layers.Normalization)]
    before = [(layer, layer.mean, layer.variance) for layer in found]
    eagerly = tf.config.functions_run_eagerly()
    try:
        tf.config.run_functions_eagerly(True)
        for layer, mean, variance in before:
            layer.mean, layer.variance = np.asarray(mean), np.asarray(variance)
        yield
    finally:
        tf.config.run_functions_eagerly(eagerly)
        for layer, mean, variance in before:
            layer.mean, layer.variance = mean, variance


def _check(model: keras.Model, made: bytes) -> None:
    """Refuse a file that asks for more than the model, or for operations that nobody has."""
    import onnx

    graph = onnx.load_from_string(made).graph
    names = {each.name for each in graph.input}
    if more := sorted(names - {each.name for each in model.inputs}):
        raise ExportError(
            f"{model.name}: the converter to ONNX makes inputs of constants ({', '.join(more)}); "
            "let the layer hold them as weights or as arrays, not as tensors"
        )
    nodes = _nodes(graph)
    strange = {node.op_type for node in nodes if not onnx.defs.has(node.op_type, node.domain)}
    if strange:
        raise ExportError(
            f"{model.name}: the converter to ONNX leaves operations that ONNX lacks "
            f"({', '.join(sorted(strange))})"
        )


def _nodes(graph: Any) -> Iterator[Any]:
    """Yield the nodes of a graph, and of the graphs inside its loops and branches."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _nodes(inner)
