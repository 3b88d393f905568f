"""A network of `slimderm.components.network_compression.xnor` that counts bits to predict."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import check_model, layers_by_path
from slimderm.components.network_compression import popcount
from slimderm.components.network_compression.input_moments import places
from slimderm.components.network_compression.reparametrised import KINDS, has_plain_kernel
from slimderm.components.network_compression.replaceable import inputs_of
from slimderm.components.network_compression.rewrite import rewrite
from slimderm.components.network_compression.signs import is_sign

COUNTED = (keras.layers.Dense, keras.layers.Conv2D)


class Packed:
    """Predicts as a Keras model does; its binary layers count bits, on one thread.

    Attributes
    ----------
    counted : tuple of str
        Paths of the layers that count bits.
    left : mapping
        Path to the reason of each layer with signs for inputs that Keras computes all the same.
    """

    def __init__(
        self, model: keras.Model, counted: tuple[str, ...], left: Mapping[str, str]
    ) -> None:
        self._model, self.counted, self.left = model, counted, dict(left)

    def predict(self, inputs: Any, batch_size: int = 256) -> Any:
        """Return the model's outputs as NumPy arrays.

        Parameters
        ----------
        inputs : array, or list or dict of arrays
            What the model takes, images along the first axis.
        batch_size : int
            How many images are computed together, from 1.

        Raises
        ------
        ParameterError
            For no inputs, and for NaN, which has no sign.
        """
        check_whole("batch_size", batch_size)
        arrays = keras.tree.map_structure(np.asarray, inputs)
        number = len(keras.tree.flatten(arrays)[0])
        parts = []
        if not number:
            raise ParameterError("inputs: received no image, expected at least one")
        for start in range(0, number, batch_size):
            batch = keras.tree.map_structure(
                lambda array, start=start: array[start : start + batch_size], arrays
            )
            made = self._model(batch, training=False)
            parts.append(keras.tree.map_structure(ops.convert_to_numpy, made))
        return keras.tree.map_structure(lambda *found: np.concatenate(found), *parts)


def packed(model: keras.Model) -> Packed:
    """Make a network predict by counting bits where both weights and inputs are ±1.

    Dense layers and two-dimensional convolutions count bits; all else is computed by Keras, one
    operation after the other. The outputs are those of ``model(inputs)``, bit for bit where Keras
    adds in float32.

    Parameters
    ----------
    model : keras.Model
        Made by the pass `slimderm.components.network_compression.xnor.XNOR`, and perhaps saved and
        loaded since. It is not changed, and later changes of it are not followed.

    Raises
    ------
    ParameterError
        For a model without layers that can count bits; the message says why they cannot.
    """
    check_model(model)
    layers = layers_by_path(model)
    chains, left = {}, {}
    for path, tensors in inputs_of(model).items():
        layer = layers[path]
        if type(layer) not in KINDS or not all(map(is_sign, tensors)):
            continue
        why = _why_not(layer)
        if why:
            left[path] = why
        else:
            chains[path] = [(_Counted(_Counter(layer), name=layer.name), ())]
    if not chains:
        said = "; ".join(f"{path}: {why}" for path, why in left.items())
        raise ParameterError(
            f"model: received {model.name!r}, which has no layer that can count bits"
            f"{f' ({said})' if said else ''}, expected one that the pass xnor has made"
        )
    return Packed(rewrite(model, chains), tuple(chains), left)


def _why_not(layer: Any) -> str:
    """Say why a layer with signs for inputs cannot count bits, empty if it can."""
    if type(layer) not in COUNTED:
        return f"it is a {type(layer).__name__}; dense layers and Conv2D count bits"
    if not has_plain_kernel(layer):
        return "it is quantised or has LoRA"
    if layer.compute_dtype != "float32":
        return f"it computes in {layer.compute_dtype}, not in float32"
    if getattr(layer, "groups", 1) > 1:
        return f"it has {layer.groups} groups"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its channels stand before its places"
    kernel = np.abs(ops.convert_to_numpy(layer.kernel)).reshape(-1, layer.kernel.shape[-1])
    if (kernel != kernel[0]).any():
        return "its kernel has more than two values a filter"
    return ""


class _Counter:
    """Computes what a layer does of signs, but for its bias and activation."""

    def __init__(self, layer: Any) -> None:
        kernel = np.asarray(ops.convert_to_numpy(layer.kernel))
        *_, channels, filters = kernel.shape
        taps = np.where(kernel >= 0, np.float32(1), np.float32(-1)).reshape(-1, channels, filters)
        rows = taps.transpose(2, 0, 1).reshape(-1, channels)
        self.words = np.ascontiguousarray(popcount.pack(rows).reshape(filters, -1).T)
        self.sums = taps.sum(axis=1).astype(np.int32)  # (taps, filters)
        self.number = len(taps) * channels
        self.scale = np.abs(kernel).reshape(-1, filters)[0]
        self.layer = layer
        self.bias = layer.bias if layer.bias is None else ops.convert_to_numpy(layer.bias)

    def __call__(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        words = popcount.pack(values.reshape(-1, values.shape[-1]))
        words = words.reshape(*values.shape[:-1], -1)
        if isinstance(self.layer, keras.layers.Conv2D):
            words = places(self.layer, words)  # (N, H, W, kernel height, kernel width, words)
            shape = words.shape[:3]
        else:
            shape = words.shape[:-1]
        sums = popcount.product(words.reshape(-1, len(self.words)), self.words, self.number)
        sums = sums.reshape(*shape, -1)
        if getattr(self.layer, "padding", "valid") == "same":
            sums += self._outside(values.shape)
        outputs: npt.NDArray[np.float32] = sums.astype(np.float32) * self.scale
        return outputs

    def _outside(self, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
        """Return what was taken for −1 outside of the image, where nothing should be added."""
        inside = places(self.layer, np.ones((1, *shape[1:3], 1), np.int32))
        outside = 1 - inside.reshape(*inside.shape[:3], -1)  # (1, H, W, taps)
        added: npt.NDArray[np.int32] = outside @ self.sums
        return added


class _Counted(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """Stands in a model that is run operation by operation."""

    def __init__(self, counter: _Counter, name: str) -> None:
        super().__init__(name=name, dtype="float32")
        self.counter = counter

    def compute_output_spec(self, inputs: Any) -> Any:
        shape = self.counter.layer.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, "float32")

    def call(self, inputs: Any) -> Any:
        outputs = ops.convert_to_tensor(self.counter(ops.convert_to_numpy(inputs)))
        if self.counter.bias is not None:
            outputs = ops.add(outputs, self.counter.bias)
        return self.counter.layer.activation(outputs)
