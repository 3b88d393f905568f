"""What a pruning schedule calls: cut a trained network, train the result, find both again."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from slimderm.components.pruning.method import PruningMethod, PruningStep
from slimderm.components.pruning.schedules.algorithm2 import StepResult
from slimderm.components.training.networks import NETWORKS
from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.work.training import Trainer, TrainingRun


def fixed_layers(network: str, *, image_only: bool) -> tuple[str, ...]:
    """Return the layers that the paper does not prune; VGG16 and DenseNet169 have none."""
    return NETWORKS[network].fixed(image_only=image_only) if network in NETWORKS else ()


@dataclass(frozen=True)
class PrunedRun:
    """A network that a cut left, trained."""

    trained: TrainingRun
    recipe: PruningMethod

    @property
    def metrics(self) -> Mapping[str, float]:
        """Shares such as ``validation_accuracy``."""
        return self.trained.metrics

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Channels of each group of layers that may shrink; for masks, each layer's weights."""
        load_keras()
        from slimderm.components.pruning.steps import maskable, sizes

        measure = maskable if self.recipe.masks else sizes
        return measure(self.trained.load(), self.recipe.limits)

    @cached_property
    def sparsity(self) -> float:
        """Share of zeros among the trained weights that multiply; NaN where nothing is masked."""
        if not self.recipe.masks:
            return math.nan
        load_keras()
        from slimderm.components.pruning.masks import sparsity

        return sparsity(self.trained.load())


class StepRunner:
    """Prunes and trains by one method: what a schedule calls for each of its steps.

    Parameters
    ----------
    trainer : Trainer
        Trains the network and holds its examples.
    recipe : PruningMethod
        How a cut is made.
    train : TrainingSettings
        How the network that a cut left is trained.
    data_batches : int
        Batches of the training part for criteria that look at data.
    test_each : bool
        Whether every step is judged on the test part, too.
    """

    def __init__(
        self,
        trainer: Trainer,
        recipe: PruningMethod,
        train: TrainingSettings,
        *,
        data_batches: int = 8,
        test_each: bool = False,
    ) -> None:
        self.trainer, self.recipe, self.train = trainer, recipe, train
        self.data_batches, self.test_each = data_batches, test_each
        self.original: Mapping[str, int] = {}

    def __call__(
        self, cut: PruningStep | None, parent: StepResult | None, notation: str
    ) -> PrunedRun:
        """Train the unpruned network, or what a cut leaves of a step's."""
        title = f"{self.trainer.network}: {notation}"
        if cut is None or parent is None:
            found = self._result(self.trainer.fit(title))
            self.original = found.sizes
            return found
        origin: TrainingRun = parent.evaluation.trained
        recipe = {
            "parent": origin.key,
            "cut": asdict(cut),
            "recipe": asdict(self.recipe),
            "original": dict(self.original) if cut.total is not None else None,
            "data_batches": self.data_batches if self.recipe.needs_data else None,
            "code": code_hash("slimderm.components.pruning.steps"),
        }
        trained = self.trainer.refit(
            recipe, lambda draft: self._carve(draft, cut, origin), title, train=self.train
        )
        return self._result(trained)

    def _result(self, trained: TrainingRun) -> PrunedRun:
        return PrunedRun(self.trainer.tested(trained) if self.test_each else trained, self.recipe)

    def _carve(self, draft: Path, cut: PruningStep, origin: TrainingRun) -> Any:
        load_keras()
        from slimderm.components.pruning.steps import apply_step

        data = self._batches() if self.recipe.needs_data else None
        model = origin.load()
        return apply_step(model, cut, self.recipe, draft, original=self.original, data=data)

    def _batches(self) -> Iterator[tuple[Any, np.ndarray]]:
        """Yield the first balanced batches of the training part, not augmented."""
        from slimderm.components.training.batches import BalancedBatches

        source, settings = self.trainer.source, self.trainer.params.train
        batches = BalancedBatches(
            source.examples["train"],
            num_classes=len(source.classes),
            batch_size=settings.batch_size,
            seed=settings.seed,
            augmented=False,
            image_only=self.trainer.image_only,
        )
        return (
            batches[index] for index in itertools.islice(range(len(batches)), self.data_batches)
        )


def fine_tuning(
    train: TrainingSettings, init: str, epochs: int | None, learning_rate: float | None
) -> TrainingSettings:
    """Return how a cut network is trained: anew as the unpruned one, or on from what is left."""
    if init == "scratch":
        return train
    return replace(
        train,
        epochs=epochs or train.epochs,
        learning_rate=learning_rate or train.learning_rate,
    )
