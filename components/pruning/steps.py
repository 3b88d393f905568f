"""One cut: a network's channels, or a mask over its weights, taken away by a recipe."""

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
from slimderm.components.model_graph.calls import copied, layers_by_path, remade, settle
from slimderm.components.model_graph.cost import Costs
from slimderm.components.model_graph.graph import trace
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
    cut: PruningStep,
    recipe: PruningMethod,
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
    cut : PruningStep
        How much goes.
    recipe : PruningMethod
        How it is chosen, and what weights are left.
    folder : Path
        Gets ``surgery.json``: the log that replays the cut on the parent, or what was masked.
    original : mapping, optional
        `sizes` of the unpruned network, for a cut that says ``total``.
    data : iterable of (inputs, targets), optional
        For criteria that look at data.

    Returns
    -------
    keras.Model
        Not compiled. Its masks, if it has any, hold while it is trained.
    """
    with seeded(recipe.seed):  # the dropouts of a smaller network draw anew
        if recipe.masks:
            return _mask(model, cut, recipe, folder)
        return _cut(model, cut, recipe, folder, original=original, data=data)


def _cut(
    model: keras.Model,
    cut: PruningStep,
    recipe: PruningMethod,
    folder: Path,
    *,
    original: Mapping[str, int] | None,
    data: Iterable[tuple[Any, Any]] | None,
) -> keras.Model:
    limits = recipe.limits
    if cut.layers is not None:
        limits = replace(limits, only=cut.layers)
    share = cut.total if cut.percent is None else Fraction(str(cut.percent)) / 100
    pruned = prune(
        model,
        ratio=share,
        budget=cut.budget,
        criterion=recipe.criterion,
        scope=recipe.scope,
        aggregate=recipe.aggregate,
        limits=limits,
        original=original if cut.total is not None else None,
        data=data,
        seed=recipe.seed,
    )
    (folder / LOG).write_text(json.dumps(pruned.log))
    return fresh(pruned.model, recipe.seed) if recipe.init == "scratch" else pruned.model


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
    """Return the bundles of each group that may lose some, by the group's first layer."""
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


def _mask(model: keras.Model, cut: PruningStep, recipe: PruningMethod, folder: Path) -> keras.Model:
    if cut.budget is not None or recipe.limits.floors or recipe.limits.multiple > 1:
        raise ParameterError(
            "masks: received a budget, floors or a multiple, expected a share alone; a mask "
            "shrinks nothing"
        )
    share = cut.total
    if share is None:
        assert cut.percent is not None
        gone = sparsity(model, keep=recipe.limits.keep, only=cut.layers)
        share = 1 - (1 - gone) * (1 - cut.percent / 100)
    copy = copied(model)
    masks = magnitude_masks(
        copy, share, scope=recipe.scope, keep=recipe.limits.keep, only=cut.layers
    )
    if recipe.init == "scratch":
        copy = fresh(copy, recipe.seed)
    else:  # what was masked before stays so in the layers that this cut leaves alone
        masks = {name: read(kernel) != 0 for name, kernel in kernels(copy).items()} | masks
    apply_masks(copy, masks)
    removed = {name: int((~mask).sum()) for name, mask in masks.items()}
    (folder / LOG).write_text(json.dumps({"masked": removed, "sparsity": sparsity(copy)}))
    return copy
