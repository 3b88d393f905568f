"""What a network sees: its filters, its activation maps, and Grad-CAM."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from components.errors import ParameterError
from components.pruning.proof import without_softmax
from components.pruning.walk import check_model

Images = npt.NDArray[np.float32]
TAP = "slimderm_tap"


def filter_images(model: keras.Model, layer: str, *, max_filters: int = 16) -> Images:
    """Show a convolution's filters as images.

    Parameters
    ----------
    model : keras.Model
        Functional.
    layer : str
        A two-dimensional convolution.
    max_filters : int
        The first so many.

    Returns
    -------
    numpy.ndarray
        (F, height, width, 3) float32 in [0, 1] where the layer reads three channels, else
        (F, height, width, 1), the mean over the channels it reads. Each filter has its own scale.

    Raises
    ------
    ParameterError
        For an unknown layer, or one that is no such convolution.
    """
    kernel = getattr(_layer(model, layer), "kernel", None)
    if kernel is None or len(kernel.shape) != 4:
        raise ParameterError(f"layer: received {layer!r}, expected a two-dimensional convolution")
    filters = np.moveaxis(np.asarray(keras.ops.convert_to_numpy(kernel), np.float32), -1, 0)
    filters = filters[:max_filters]  # (F, h, w, C)
    if filters.shape[-1] != 3:
        filters = filters.mean(-1, keepdims=True)
    return _scaled(filters)


def activation_maps(model: keras.Model, inputs: Any, layer: str, *, max_maps: int = 16) -> Images:
    """Show what a layer makes of the first sample of a batch, its strongest channels first.

    Returns
    -------
    numpy.ndarray
        (M, height, width) float32 in [0, 1], each map on its own scale.

    Raises
    ------
    ParameterError
        For an unknown layer, or one whose output is no map.
    """
    tap = keras.Model(model.input, _layer(model, layer).output)
    maps = np.asarray(keras.ops.convert_to_numpy(tap(inputs, training=False)))
    if maps.ndim != 4:
        raise ParameterError(f"layer: received {layer!r} of shape {maps.shape}, expected a map")
    first = np.moveaxis(maps[0], -1, 0).astype(np.float32)  # (C, h, w)
    order = np.argsort(-np.abs(first).mean((1, 2)), kind="stable")
    return _scaled(first[order[:max_maps]])


def grad_cam(
    model: keras.Model, inputs: Any, *, layer: str | None = None, class_index: int | None = None
) -> Images:
    """Show which places of an image speak for a class (Selvaraju et al. 2017, eqs. 1 and 2).

    arXiv 1610.02391. The score is the one before the softmax. Gradients come from the backend's
    own training step, so any backend of Keras will do.

    Parameters
    ----------
    model : keras.Model
        Functional, with one output of classes; perhaps with inputs beside the image.
    inputs : array or dict
        N samples, as for the model. The image is the input with four axes.
    layer : str, optional
        The last layer with a kernel whose output is a map, where not given.
    class_index : int, optional
        The predicted class of each sample, where not given.

    Returns
    -------
    numpy.ndarray
        (N, H, W) float32 in [0, 1], of the images' size; zeros where nothing speaks for the class.

    Raises
    ------
    ParameterError
        For a model without a graph, an unknown layer, or none that makes maps.
    """
    check_model(model)
    name = layer or _last_map(model)
    _layer(model, name)
    bare = without_softmax(model)
    tapped = _with_tap(bare, name)
    maps = keras.Model(tapped.input, tapped.get_layer(TAP).output)
    gradient = _Gradient()
    tapped.compile(gradient, lambda wanted, scores: -keras.ops.sum(wanted * scores, axis=-1))
    chosen = np.asarray(keras.ops.convert_to_numpy(bare(inputs, training=False))).argmax(-1)
    if class_index is not None:
        chosen[:] = class_index
    size = next(tensor.shape[1:3] for tensor in tapped.inputs if len(tensor.shape) == 4)
    found = []
    for index, label in enumerate(chosen):
        sample = keras.tree.map_structure(lambda part, at=index: part[at : at + 1], inputs)
        wanted = np.eye(tapped.output_shape[-1], dtype=np.float32)[[label]]
        tapped.train_on_batch(sample, wanted)
        slopes = -np.asarray(keras.ops.convert_to_numpy(gradient.found), np.float32)[0]
        activation = np.asarray(keras.ops.convert_to_numpy(maps(sample, training=False)))[0]
        weights = slopes.mean((0, 1))  # eq. 1
        found.append(np.maximum((activation * weights).sum(-1), 0))  # eq. 2
    resized = keras.ops.image.resize(np.stack(found)[..., None].astype(np.float32), size)
    cams = np.asarray(keras.ops.convert_to_numpy(resized))[..., 0]
    most = cams.max((1, 2), keepdims=True)
    shown: Images = np.divide(cams, most, out=np.zeros_like(cams), where=most > 0)
    return shown


class _Tap(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """Adds zeros whose gradient is that of the map."""

    def build(self, shape: Any) -> None:
        self.zeros = self.add_weight(shape=(1, *shape[1:]), initializer="zeros", name="zeros")

    def call(self, inputs: Any) -> Any:
        return inputs + keras.ops.cast(self.zeros, inputs.dtype)


class _Gradient(keras.optimizers.Optimizer):  # type: ignore[misc]  # keras has no types
    """Moves nothing, and keeps the gradient of the one weight that is trained."""

    def __init__(self) -> None:
        super().__init__(learning_rate=1.0, name="gradient")

    def build(self, variables: list[Any]) -> None:
        if not self.built:
            super().build(variables)
            shape = tuple(variables[0].shape)
            self.found = self.add_variable(shape, dtype="float32", name="found")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        self.assign(self.found, keras.ops.cast(gradient, "float32"))


def _with_tap(model: keras.Model, name: str) -> keras.Model:
    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        return _Tap(name=TAP)(output) if layer.name == name else output

    tapped = keras.models.clone_model(model, call_function=call)
    for layer in tapped.layers:
        layer.trainable = layer.name == TAP
        if layer.name != TAP:
            layer.set_weights(model.get_layer(layer.name).get_weights())
        if hasattr(layer, "rate"):
            layer.rate = 0.0  # no dropout in the step that gives the gradient
    return tapped


def _layer(model: keras.Model, name: str) -> Any:
    check_model(model)
    known = {layer.name: layer for layer in model.layers}
    if name not in known:
        raise ParameterError(f"layer: received {name!r}, expected one of {', '.join(known)}")
    return known[name]


def _last_map(model: keras.Model) -> str:
    for layer in reversed(model.layers):
        kernel = getattr(layer, "kernel", None)
        if kernel is not None and len(layer.output.shape) == 4:
            return str(layer.name)
    raise ParameterError(f"model: received {model.name!r} without a convolution, expected one")


def _scaled(images: Images) -> Images:
    """Stretch each image over [0, 1]; one that is flat becomes zero."""
    axes = tuple(range(1, images.ndim))
    low, high = images.min(axes, keepdims=True), images.max(axes, keepdims=True)
    spread: Images = np.zeros_like(images)
    np.divide(images - low, high - low, out=spread, where=high > low)
    return spread
