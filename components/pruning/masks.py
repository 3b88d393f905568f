"""Unstructured magnitude pruning: weights become zero, and nothing shrinks.

The second seed's method, here as the control. A mask makes a network neither smaller nor faster:
its file, its memory and its multiplications are those of the unpruned one.
"""

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from components.errors import ParameterError
from components.pruning.recipe import check_ratio
from components.pruning.surgery import read
from components.pruning.walk import check_model, layers_by_path

Masks = dict[str, npt.NDArray[np.bool_]]
KERNELS = ("kernel", "depthwise_kernel", "pointwise_kernel")


class _Masked(keras.constraints.Constraint):  # type: ignore[misc]  # keras has no types
    """Holds masked weights at zero after each step of the optimizer."""

    def __init__(self, mask: npt.NDArray[np.bool_]) -> None:
        self.mask = mask

    def __call__(self, weight: Any) -> Any:
        return keras.ops.multiply(weight, keras.ops.cast(self.mask, weight.dtype))


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
        For a model whose layers cannot be read, a ratio outside (0, 1), an unknown scope, or a
        layer that does not exist.
    """
    check_model(model)
    check_ratio(ratio)
    if scope not in ("local", "global"):
        raise ParameterError(f"scope: received {scope!r}, expected one of local, global")
    known = dict.fromkeys(name.rsplit("/", 1)[0] for name in kernels(model))
    layers = (set(known) if only is None else _matching(known, only)) - _matching(known, keep)
    chosen = {
        name: np.abs(read(kernel))
        for name, kernel in kernels(model).items()
        if name.rsplit("/", 1)[0] in layers
    }
    if scope == "local":
        return {name: _largest([values], ratio)[0] for name, values in chosen.items()}
    masks = _largest(list(chosen.values()), ratio)
    return dict(zip(chosen, masks, strict=True))


def _matching(layers: Collection[str], patterns: Sequence[str]) -> set[str]:
    matched = set()
    for pattern in patterns:
        found = {layer for layer in layers if fnmatchcase(layer, pattern)}
        if not found:
            raise ParameterError(
                f"layer: received {pattern!r}, which no layer with a kernel has for a name, "
                f"expected some of {', '.join(layers)}"
            )
        matched |= found
    return matched


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
        found[name].constraint = _Masked(mask)


def sparsity(model: keras.Model) -> float:
    """Measure the true share of zeros among the weights that multiply."""
    values = [read(kernel) for kernel in kernels(model).values()]
    return sum(int((value == 0).sum()) for value in values) / sum(value.size for value in values)
