"""Unstructured magnitude pruning: weights become zero, and nothing shrinks.

The second seed's method, here as the control. A mask makes a network neither smaller nor faster:
its file, its memory and its multiplications are those of the unpruned one.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import check_name
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import check_model, layers_by_path
from slimderm.components.model_graph.outputs import KERNELS
from slimderm.components.pruning.method import check_ratio, matching
from slimderm.components.pruning.surgery import read

Masks = dict[str, npt.NDArray[np.bool_]]


class _Masked(keras.constraints.Constraint):  # type: ignore[misc]  # keras has no types
    """Holds masked weights at zero after each step, and what is left to the weight's own rule."""

    def __init__(self, mask: npt.NDArray[np.bool_], own: Any) -> None:
        self.mask, self.own = mask, own

    def __call__(self, weight: Any) -> Any:
        if self.own is not None:
            weight = self.own(weight)
        tensor = keras.ops.convert_to_tensor(weight)  # JAX takes no variable for one here
        return keras.ops.where(self.mask, tensor, 0)  # a product would give -0.0, too


def kernels(model: keras.Model) -> dict[str, Any]:
    """Map ``layer/kernel`` to each weight that multiplies; biases and normalisation are no such."""
    return {
        f"{path}/{name}": getattr(layer, name)
        for path, layer in layers_by_path(model).items()
        for name in KERNELS
        if getattr(layer, name, None) is not None
    }


def magnitude_masks(
    model: keras.Model,
    ratio: float,
    *,
    scope: str = "global",
    keep: Sequence[str] = (),
    only: Sequence[str] | None = None,
) -> Masks:
    """Choose the weights of least magnitude.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built. Weights at zero already are the first to go.
    ratio : float
        Share of the weights to mask, in (0, 1).
    scope : str
        ``global``: one threshold over all kernels; ``local``: the ratio of each.
    keep : sequence of str
        Layers without a mask, by path; ``*`` and ``?`` stand for any characters.
    only : sequence of str, optional
        Layers that get a mask, as in ``keep``; all where not given.

    Returns
    -------
    dict
        ``layer/kernel`` to a bool array of the kernel's shape, False where it is masked.

    Raises
    ------
    ParameterError
        For a model whose layers cannot be read, a ratio outside (0, 1), an unknown scope, a layer
        that does not exist, or where no kernel is left to mask.
    """
    check_model(model)
    check_ratio(ratio)
    check_name("scope", scope, ("local", "global"))
    chosen = {
        name: np.abs(read(kernel)) for name, kernel in _some_kernels(model, keep, only).items()
    }
    if scope == "local":
        return {name: _largest([values], ratio)[0] for name, values in chosen.items()}
    masks = _largest(list(chosen.values()), ratio)
    return dict(zip(chosen, masks, strict=True))


def chosen_kernels(
    model: keras.Model, *, keep: Sequence[str] = (), only: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the `kernels` of layers that may get a mask; names as for `magnitude_masks`.

    Raises
    ------
    ParameterError
        For a layer that does not exist.
    """
    found = kernels(model)
    layer_of = {name: name.rsplit("/", 1)[0] for name in found}
    known = dict.fromkeys(layer_of.values())

    def named(patterns: Sequence[str]) -> set[str]:
        kind = "layer with a kernel"
        return {layer for pattern in patterns for layer in matching(known, pattern, kind)}

    layers = (set(known) if only is None else named(only)) - named(keep)
    return {name: kernel for name, kernel in found.items() if layer_of[name] in layers}


def _some_kernels(
    model: keras.Model, keep: Sequence[str], only: Sequence[str] | None
) -> dict[str, Any]:
    found = chosen_kernels(model, keep=keep, only=only)
    if not found:
        raise ParameterError(
            f"model: received {model.name!r} with keep {list(keep)} and only {only}: "
            f"none of its {len(kernels(model))} kernels is left, expected at least one"
        )
    return found


def _largest(arrays: list[npt.NDArray[Any]], ratio: float) -> list[npt.NDArray[np.bool_]]:
    """Mark all but the least share of the values, the earlier of equals first."""
    flat = np.concatenate([values.ravel() for values in arrays])
    number = round(ratio * len(flat))
    mask = np.ones(len(flat), bool)
    mask[np.argsort(flat, kind="stable")[:number]] = False
    ends = np.cumsum([values.size for values in arrays])[:-1]
    return [
        part.reshape(values.shape)
        for part, values in zip(np.split(mask, ends), arrays, strict=True)
    ]


def apply_masks(model: keras.Model, masks: Masks) -> None:
    """Set masked weights to zero and hold them there while the model is trained.

    The saved model knows nothing of it: it holds zeros, and no custom object.
    """
    found = kernels(model)
    for name, mask in masks.items():
        found[name].assign(np.where(mask, read(found[name]), 0))
        own = found[name].constraint
        found[name].constraint = _Masked(mask, own.own if isinstance(own, _Masked) else own)


def sparsity(
    model: keras.Model, *, keep: Sequence[str] = (), only: Sequence[str] | None = None
) -> float:
    """Measure the true share of zeros among the weights that multiply, of layers as named.

    Raises
    ------
    ParameterError
        For a layer that does not exist, or where no such weight is left.
    """
    values = [read(kernel) for kernel in _some_kernels(model, keep, only).values()]
    return sum(int((value == 0).sum()) for value in values) / sum(value.size for value in values)
