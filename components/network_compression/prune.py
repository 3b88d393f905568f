"""Channels taken out by the pruner, as one pass among others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import keras

from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    Report,
)
from slimderm.components.pruning.method import Budget, Limits
from slimderm.components.pruning.pruner import prune


@dataclass(frozen=True)
class Prune(Pass):
    """Remove channels, as `slimderm.components.pruning.pruner.prune` does.

    Attributes
    ----------
    ratio, budget, criterion, scope
        As for the pruner; exactly one of ``ratio`` and ``budget`` is given.
    keep : sequence of str
        Layers that keep all channels, by path; ``*`` and ``?`` stand for any characters.
    multiple : int
        Widths are rounded to a multiple of it.
    loss : str
        For the criterion ``taylor``: the loss that fits the data's targets.
    """

    ratio: float | None = None
    budget: Budget | None = None
    criterion: str = "l1"
    scope: str = "local"
    keep: Sequence[str] = ()
    multiple: int = 1
    loss: str = "categorical_crossentropy"
    order: ClassVar[Order] = Order.SHAPES

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        pruned = prune(
            model,
            ratio=self.ratio,
            budget=self.budget,
            criterion=self.criterion,
            scope=self.scope,
            limits=Limits(keep=self.keep, multiple=self.multiple),
            data=means.data,
            loss=self.loss,
            seed=means.seed,
        )
        means.train(pruned.model)
        said = pruned.report
        changed = {
            path: f"{before} channels to {after}"
            for path, (before, after) in said.widths.items()
            if before != after
        }
        left = {barrier.path: barrier.reason for barrier in said.barriers}
        return Compressed(
            pruned.model,
            Report(said.parameters, said.multiply_accumulates, changed, left, said.notes),
        )
