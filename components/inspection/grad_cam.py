"""Grad-CAM: which places of an image speak for a class."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.keras_support.optimizers import spare_sum
from slimderm.components.model_graph.calls import (
    graph_of,
    is_functional,
    last_operations,
    layers_by_path,
)
from slimderm.components.model_graph.outputs import (
    arrange,
    has_kernel,
    layer_outputs,
    output_of,
    take,
    to_numpy,
)

Images = npt.NDArray[np.float32]
TAP = "slimderm_tap"
WORTH_COMPILING = 16  # samples; fewer go without a trace, which for a deep network takes long


def grad_cam(
    model: keras.Model, inputs: Any, *, layer: str | None = None, class_index: int | None = None
) -> Images:
    """Show which places of an image speak for a class (Selvaraju et al. 2017, eqs. 1 and 2).

    arXiv 1610.02391. The score is the one before the softmax. Gradients come from the backend's
    own training step, run in inference mode, so any backend of Keras will do.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, with one output of classes; perhaps with inputs beside the image.
    inputs : array, list or dict
        N samples, as for the model; a dict goes by the names of the model's inputs. The image is
        the input with four axes, channels last.
    layer : str, optional
        The last layer with a kernel whose output is a map, where not given. Of a layer that is
        called more than once, the first call counts.
    class_index : int, optional
        The predicted class of each sample, where not given.

    Returns
    -------
    numpy.ndarray
        (N, H, W) float32 in [0, 1], of the images' size; zeros where nothing speaks for the class.

    Raises
    ------
    ParameterError
        For a model without a graph or with other outputs, an unknown layer, one that makes no maps
        or none that does, an unknown class, or inputs without a sample or an image.
    """
    name = _last_map(model) if layer is None else layer
    if len(output_of(model, name).shape) != 4:
        raise ParameterError(f"layer: received {name!r}, expected one whose output is a map")
    graph: Any = graph_of(model)
    given = arrange(graph, inputs)
    images = [part for part in keras.tree.flatten(given) if part.ndim == 4]
    if not images or not len(images[0]):
        raise ParameterError("inputs: received no image, expected one of shape (N, H, W, C)")
    tapped = _with_tap(graph, name, take(given, 0))
    labels = _labels(to_numpy(model(given, training=False)), class_index)
    maps = keras.Model(tapped.input, tapped.get_layer(TAP).output)
    scorer, gradient = _Scorer(tapped), _Gradient()
    spare_sum(gradient)
    scorer.compile(gradient, auto_scale_loss=False, run_eagerly=len(labels) < WORTH_COMPILING)
    found = []
    for index, wanted in enumerate(labels):
        sample = take(given, index)
        scorer.train_on_batch(sample, wanted[None])
        weights = -to_numpy(gradient.found)[0].mean((0, 1))  # eq. 1
        activation = to_numpy(maps(sample, training=False))[0].astype(np.float32)
        found.append(np.maximum((activation * weights).sum(-1), 0))  # eq. 2
    resized = keras.ops.image.resize(
        np.stack(found)[..., None], images[0].shape[1:3], data_format="channels_last"
    )
    cams = to_numpy(resized)[..., 0]
    most = cams.max((1, 2), keepdims=True)
    shown: Images = np.divide(cams, most, out=np.zeros_like(cams), where=most > 0)
    return shown


class _Tap(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """Adds zeros whose gradient is that of the map."""

    def build(self, shape: Any) -> None:
        self.zeros = self.add_weight(shape=(1, *shape[1:]), initializer="zeros", name="zeros")

    def call(self, inputs: Any) -> Any:
        return inputs + keras.ops.cast(self.zeros, inputs.dtype)


class _Scorer(keras.Model):  # type: ignore[misc]  # keras has no types
    """Trains as others do, but never leaves inference mode, and no penalty enters its loss."""

    def __init__(self, tapped: keras.Model) -> None:
        super().__init__(name="scorer")
        self.tapped = tapped

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.tapped(inputs, training=False)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: Any = True,
    ) -> Any:
        return -keras.ops.sum(keras.ops.multiply(y, keras.ops.cast(y_pred, "float32")))


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


def _with_tap(graph: Any, name: str, sample: Any) -> keras.Model:
    """Copy a model for one sample, without its softmax and with a tap behind the layer."""
    last = _last_operation(graph)
    taps: list[_Tap] = []

    def clone(layer: Any) -> Any:
        config = layer.get_config()
        if layer is last and "activation" in config:
            config["activation"] = "linear"
        return type(layer).from_config(config)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer.name == last.name and isinstance(layer, keras.layers.Softmax):
            return args[0]
        output = layer(*args, **kwargs)
        if layer.name != name or taps:
            return output
        taps.append(_Tap(name=TAP))
        return taps[0](output)

    def fixed(tensor: Any, part: Images) -> Any:
        return keras.Input(batch_shape=part.shape, dtype=tensor.dtype, name=tensor.name)

    ends = keras.tree.map_structure(fixed, graph.input, sample)
    tapped = keras.models.clone_model(
        graph, input_tensors=ends, clone_function=clone, call_function=call
    )
    copies = layers_by_path(tapped)
    for path, layer in layers_by_path(graph).items():
        if path not in copies:
            continue  # an input, or the softmax
        copies[path].set_weights(layer.get_weights())
        if isinstance(layer, keras.layers.Normalization):
            copies[path].finalize_state()  # what it computes with is made of its weights
    for layer in tapped.layers:
        layer.trainable = layer.name == TAP
    return tapped


def _last_operation(graph: Any) -> Any:
    """Return what makes the scores, having made sure that they are there to be had."""
    if len(graph.outputs) != 1 or len(graph.outputs[0].shape) != 2:
        raise ParameterError(
            f"model: received outputs of shapes {[tensor.shape for tensor in graph.outputs]}, "
            "expected one of shape (N, classes)"
        )
    (last,) = last_operations(graph)
    function = type(last).__name__ == "Softmax" and not isinstance(last, keras.layers.Layer)
    if is_functional(last) or function:
        raise ParameterError(
            f"model: received {graph.name!r}, which ends in {last.name!r}, expected a layer; "
            "end it with keras.layers.Dense or Softmax"
        )
    return last


def _labels(scores: Images, class_index: int | None) -> Images:
    """Return the wanted class of each sample, one-hot (N, C) float32."""
    number = scores.shape[-1]
    if class_index is not None and not 0 <= class_index < number:
        raise ParameterError(
            f"class_index: received {class_index}, expected one from 0 to {number - 1}"
        )
    chosen = scores.argmax(-1) if class_index is None else np.full(len(scores), class_index)
    wanted: Images = np.eye(number, dtype=np.float32)[chosen]
    return wanted


def _last_map(model: keras.Model) -> str:
    outputs = layer_outputs(model)
    for layer in reversed(model.layers):
        if has_kernel(layer) and len(outputs[layer.name].shape) == 4:
            return str(layer.name)
    raise ParameterError(
        f"model: received {model.name!r} without a convolution, expected one; where it is inside a "
        "nested model, name that as the layer"
    )
