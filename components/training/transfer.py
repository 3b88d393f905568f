"""Train a network whose weights are from a file: its last layer first, then more of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import keras
import pandas as pd

from slimderm.components.common.errors import ParameterError
from slimderm.components.training.batches import Examples
from slimderm.components.training.fit import History, Logs, fit

if TYPE_CHECKING:
    from slimderm.components.training.settings import TrainingSettings


def fit_transferred(
    model: keras.Model,
    train: Examples,
    validation: Examples,
    settings: "TrainingSettings",
    *,
    on_epoch: Callable[[int, Logs], None] | None = None,
) -> History:
    """Train the last layer for ``head_epochs``, then all from ``unfreeze_from`` on.

    What is frozen keeps its weights and its batch normalization's statistics, bit for bit. The
    second part starts from the network that the first keeps, and says which one is kept.

    Parameters
    ----------
    model : keras.Model
        Whose weights are worth keeping; compiled here. All its layers are as before afterwards.
    train, validation, settings, on_epoch
        As for `fit`; epochs are counted through both parts.

    Raises
    ------
    ParameterError
        For a layer that the model lacks, ``head_epochs`` that leave none of ``epochs``, and as
        `fit` does.
    """
    first = settings.head_epochs
    if first >= settings.epochs:
        raise ParameterError(
            f"head_epochs: received {first}, expected fewer than the {settings.epochs} epochs"
        )
    before = _before(model, settings.unfreeze_from)
    start = None
    if first:
        weighted = [layer for layer in model.layers if layer.weights]
        with frozen(weighted[:-1]):
            start = fit(
                model, train, validation, replace(settings, epochs=first), on_epoch=on_epoch
            )
    rest = replace(
        settings,
        epochs=settings.epochs - first,
        learning_rate=settings.unfrozen_learning_rate or settings.learning_rate,
    )

    def counted(epoch: int, logs: Logs) -> None:
        if on_epoch is not None:
            on_epoch(first + epoch, logs)

    with frozen(before):
        end = fit(model, train, validation, rest, on_epoch=counted)
    return _joined(start, end, first)


def _joined(start: History | None, end: History, first: int) -> History:
    if start is None:
        return end
    later = end.frame.assign(epoch=end.frame["epoch"] + first)
    return History(
        frame=pd.concat([start.frame, later], ignore_index=True),
        best_epoch=first + end.best_epoch,
        seconds=start.seconds + end.seconds,
    )


def _before(model: keras.Model, name: str | None) -> list[Any]:
    """Return the layers that stand before one, in the order of the model."""
    if name is None:
        return []
    names = [layer.name for layer in model.layers if layer.weights]
    if name not in names:
        raise ParameterError(
            f"unfreeze_from: received {name!r}, expected a layer of {model.name} that has "
            f"weights, {names[0]} to {names[-1]}"
        )
    return [layer for layer in model.layers if layer.weights][: names.index(name)]


@contextmanager
def frozen(layers: Sequence[Any]) -> Iterator[None]:
    """Hold weights and statistics of some layers while a model is compiled and trained.

    Parameters
    ----------
    layers : sequence of keras.Layer
        They may be trained again when the block ends, as before.
    """
    parts = [part for layer in layers for part in layer._flatten_layers()]
    before = [part.trainable for part in parts]
    for part in parts:
        part.trainable = False
    try:
        yield
    finally:
        for part, trainable in zip(parts, before, strict=True):
            part.trainable = trainable
