"""Train a model whose kernels are computed from other weights, then have a plain model again.

Shared weights, binary weights, weights rounded to some bits and weights of a low rank are all
trained alike: the layer computes with a function of what is trained, and gradients go through that
function. `baked` gives a model of Keras's own layers back, with the kernels that were computed.

Upstream: weights are added to built layers as ``Dense.enable_lora`` adds its own in
``keras/src/layers/core/dense.py`` (Keras 3.15), whose ``kernel`` is a property, too.
"""

from collections.abc import Callable, Container, Mapping
from typing import Any, Protocol

import keras

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.copies import copied, settle
from slimderm.components.pruning import masks

KINDS = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)


class Kernel(Protocol):
    """What one layer computes its kernel from, and perhaps its bias and its inputs."""

    def build(self, layer: Any) -> None:
        """Add what is trained by ``layer.add_weight``, or leave ``layer._kernel`` to be trained."""

    def value(self, layer: Any) -> Any:
        """Return the kernel, a tensor of the shape of ``layer._kernel``."""

    def bias(self, layer: Any) -> Any:
        """Return the bias, of a layer that has one."""
        return vars(layer)["bias"]

    def inputs(self, inputs: Any) -> Any:
        """Return what the layer takes instead of its inputs, while it is trained."""
        return inputs


class _Computed:
    """Lets a layer compute with a kernel of its own."""

    compute_dtype: str  # the layer's

    @property
    def kernel(self) -> Any:
        made: Kernel = vars(self)["computed_kernel"]
        return keras.ops.cast(made.value(self), self.compute_dtype)

    @property
    def bias(self) -> Any:
        if vars(self).get("bias") is None:
            return None
        made: Kernel = vars(self)["computed_kernel"]
        return keras.ops.cast(made.bias(self), self.compute_dtype)

    def call(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        made: Kernel = vars(self)["computed_kernel"]
        return super().call(made.inputs(inputs), *args, **kwargs)  # type: ignore[misc]  # Keras's


def has_plain_kernel(layer: Any) -> bool:
    """Tell whether a layer is one of Keras's own whose kernel may be computed from something."""
    return (
        type(layer) in KINDS
        and not getattr(layer, "lora_enabled", False)
        and not getattr(layer, "quantization_mode", None)
    )


def reparametrised(model: keras.Model, kernels: Mapping[str, Kernel]) -> keras.Model:
    """Return a copy some of whose layers compute with other kernels, for training.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built; it is not changed.
    kernels : mapping
        Path of a layer to what its kernel is computed from, one object a layer.

    Raises
    ------
    ParameterError
        For a layer whose kernel cannot be computed from something.
    """
    copy: keras.Model = copied(model)
    layers = layers_by_path(copy)
    for path, kernel in kernels.items():
        layer = layers[path]
        if not has_plain_kernel(layer):
            raise ParameterError(
                f"{path}: received a {type(layer).__name__}, expected a dense layer or a "
                "convolution of Keras's own, neither quantised nor with LoRA"
            )
        kind = type(layer)
        object.__setattr__(layer, "__class__", type(kind.__name__, (_Computed, kind), {}))
        vars(layer)["computed_kernel"] = kernel
        layer._tracker.unlock()
        kernel.build(layer)
        layer._tracker.lock()
    return copy


def trained(
    model: keras.Model, kernels: Mapping[str, Kernel], train: Callable[[keras.Model], None]
) -> keras.Model:
    """Train under computed kernels; return the plain model that computes the same.

    Zeros in the kernels of other layers stay zero.

    Raises
    ------
    ParameterError
        As `reparametrised`.
    """
    made = reparametrised(model, kernels)
    _hold_zeros(made, besides=kernels)
    train(made)
    return baked(made, model)


def _hold_zeros(model: keras.Model, besides: Container[str]) -> None:
    others = {
        name: keras.ops.convert_to_numpy(kernel) != 0
        for name, kernel in masks.kernels(model).items()
        if name.rpartition("/")[0] not in besides
    }
    masks.apply_masks(model, {name: mask for name, mask in others.items() if not mask.all()})


def baked(trained: keras.Model, model: keras.Model) -> keras.Model:
    """Return a plain model with what a reparametrised copy of it computes with.

    Parameters
    ----------
    trained : keras.Model
        From `reparametrised`.
    model : keras.Model
        What it was made of; it is not changed.
    """
    plain: keras.Model = copied(model)
    layers = layers_by_path(trained)
    for path, layer in layers_by_path(plain).items():
        other = layers[path]
        if isinstance(other, _Computed):
            kernel: Kernel = vars(other)["computed_kernel"]
            layer.kernel.assign(keras.ops.convert_to_numpy(kernel.value(other)))
            if layer.use_bias:
                layer.bias.assign(keras.ops.convert_to_numpy(kernel.bias(other)))
        else:
            layer.set_weights(other.get_weights())
    settle(plain)
    return plain
