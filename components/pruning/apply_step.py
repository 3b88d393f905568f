"""One pruning step: channels removed, or weights masked, by a method."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.keras_support.seeding import seeded
from slimderm.components.model_graph.calls import layers_by_path
from slimderm.components.model_graph.copies import copied, remade, settle
from slimderm.components.model_graph.cost import Costs
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.masks import (
    apply_masks,
    chosen_kernels,
    kernels,
    magnitude_masks,
    sparsity,
)
from slimderm.components.pruning.method import Limits, PruningMethod, PruningStep
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.selection import Planner, shrinkable
from slimderm.components.pruning.surgery import read

LOG = "surgery.json"


def apply_step(
    model: keras.Model,
    step: PruningStep,
    method: PruningMethod,
    folder: Path,
    *,
    original: Mapping[str, int] | None = None,
    data: Iterable[tuple[Any, Any]] | None = None,
) -> keras.Model:
    """Make the network that a step trains.

    Parameters
    ----------
    model : keras.Model
        The parent; it is not changed.
    step : PruningStep
        How much goes.
    method : PruningMethod
        How it is chosen, and what weights are left.
    folder : Path
        Gets ``surgery.json``: the log that replays the step on the parent, or what was masked.
    original : mapping, optional
        `sizes` of the unpruned network, for a step that says ``total``.
    data : iterable of (inputs, targets), optional
        For criteria that look at data.

    Returns
    -------
    keras.Model
        Not compiled. Its masks, if it has any, hold while it is trained.
    """
    with seeded(method.seed):  # the dropouts of a smaller network draw anew
        if method.masks:
            return _mask(model, step, method, folder)
        return _remove(model, step, method, folder, original=original, data=data)


def _remove(
    model: keras.Model,
    step: PruningStep,
    method: PruningMethod,
    folder: Path,
    *,
    original: Mapping[str, int] | None,
    data: Iterable[tuple[Any, Any]] | None,
) -> keras.Model:
    limits = method.limits
    if step.layers is not None:
        limits = replace(limits, only=step.layers)
    share = step.total if step.percent is None else Fraction(str(step.percent)) / 100
    pruned = prune(
        model,
        ratio=share,
        budget=step.budget,
        criterion=method.criterion,
        scope=method.scope,
        aggregate=method.aggregate,
        limits=limits,
        original=original if step.total is not None else None,
        data=data,
        seed=method.seed,
    )
    (folder / LOG).write_text(json.dumps(pruned.log))
    return fresh(pruned.model, method.seed) if method.init == "scratch" else pruned.model


def fresh(model: keras.Model, seed: int) -> keras.Model:
    """Return the same network with new random weights, and the statistics of the data it had."""
    with seeded(seed):
        new: keras.Model = remade(model)
    layers = layers_by_path(new)
    for path, layer in layers_by_path(model).items():
        if isinstance(layer, keras.layers.Normalization):
            layers[path].set_weights(layer.get_weights())
    settle(new)
    return new


def sizes(model: keras.Model, limits: Limits) -> dict[str, int]:
    """Count the coupled channels of each group that may lose some, by its first layer."""
    return shrinkable(trace(model), limits)


def maskable(model: keras.Model, limits: Limits) -> dict[str, int]:
    """Return the weights of each layer that may get a mask, as `sizes` does for channels."""
    found: dict[str, int] = {}
    for name, kernel in chosen_kernels(model, keep=limits.keep, only=limits.only).items():
        layer = name.rsplit("/", 1)[0]
        found[layer] = found.get(layer, 0) + math.prod(kernel.shape)
    return found


def parameters_left(model: keras.Model, ratio: float, limits: Limits) -> int:
    """Count the parameters that are left when every group loses a ratio of its channels."""
    graph = trace(model)
    planner = Planner(graph, np.zeros(graph.num_coupled), limits=limits)
    return Costs(graph).parameters(planner.plan(ratio))


def _mask(
    model: keras.Model, step: PruningStep, method: PruningMethod, folder: Path
) -> keras.Model:
    limits = method.limits
    if step.budget or limits.floors or limits.multiple > 1 or limits.max_ratio:
        raise ParameterError(
            "masks: received a budget, floors, a multiple or a largest ratio, expected a ratio "
            "alone; a mask removes no channels"
        )
    share = step.total
    if share is None:
        assert step.percent is not None
        gone = sparsity(model, keep=method.limits.keep, only=step.layers)
        share = 1 - (1 - gone) * (1 - step.percent / 100)
    copy = copied(model)
    masks = magnitude_masks(
        copy, share, scope=method.scope, keep=method.limits.keep, only=step.layers
    )
    if method.init == "scratch":
        copy = fresh(copy, method.seed)
    else:  # what was masked before stays so in the layers that this step leaves alone
        masks = {name: read(kernel) != 0 for name, kernel in kernels(copy).items()} | masks
    apply_masks(copy, masks)
    removed = {name: int((~mask).sum()) for name, mask in masks.items()}
    (folder / LOG).write_text(json.dumps({"masked": removed, "sparsity": sparsity(copy)}))
    return copy
