"""What a pruning schedule calls: cut a trained network, train the result, find both again."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from components.pruning.recipe import Cut, Recipe
from components.pruning.schedules import Step
from components.training.architectures import NETWORKS
from components.training.settings import TrainingSettings
from flows.fitting import Fitted, Workshop
from flows.runtime import code_hash, load_keras


def fixed_layers(network: str, *, image_only: bool) -> tuple[str, ...]:
    """Return the layers that the paper does not prune; VGG16 and DenseNet169 have none."""
    return NETWORKS[network].fixed(image_only=image_only) if network in NETWORKS else ()


@dataclass(frozen=True)
class Cutout:
    """A network that a cut left, trained."""

    fitted: Fitted
    recipe: Recipe

    @property
    def metrics(self) -> Mapping[str, float]:
        """Shares such as ``validation_accuracy``."""
        return self.fitted.metrics

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Channels of each group of layers that may shrink; for masks, each layer's weights."""
        load_keras()
        from components.pruning.carve import maskable, sizes

        measure = maskable if self.recipe.masks else sizes
        return measure(self.fitted.load(), self.recipe.limits)

    @cached_property
    def sparsity(self) -> float:
        """Share of zeros among the trained weights that multiply; NaN where nothing is masked."""
        if not self.recipe.masks:
            return math.nan
        load_keras()
        from components.pruning.masks import sparsity

        return sparsity(self.fitted.load())


class Cutting:
    """Cuts and trains by one recipe; a schedule's `components.pruning.schedules.Work`.

    Parameters
    ----------
    workshop : Workshop
        Trains the network and holds its examples.
    recipe : Recipe
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
        workshop: Workshop,
        recipe: Recipe,
        train: TrainingSettings,
        *,
        data_batches: int = 8,
        test_each: bool = False,
    ) -> None:
        self.workshop, self.recipe, self.train = workshop, recipe, train
        self.data_batches, self.test_each = data_batches, test_each
        self.original: Mapping[str, int] = {}

    def __call__(self, cut: Cut | None, parent: Step | None, notation: str) -> Cutout:
        """Train the unpruned network, or what a cut leaves of a step's."""
        title = f"{self.workshop.network}: {notation}"
        if cut is None or parent is None:
            found = self._result(self.workshop.fit(title))
            self.original = found.sizes
            return found
        origin: Fitted = parent.evaluation.fitted
        recipe = {
            "parent": origin.key,
            "cut": asdict(cut),
            "recipe": asdict(self.recipe),
            "original": dict(self.original) if cut.total is not None else None,
            "data_batches": self.data_batches if self.recipe.needs_data else None,
            "code": code_hash("components/pruning", "components/seeding.py"),
        }
        fitted = self.workshop.refit(
            recipe, lambda draft: self._carve(draft, cut, origin), title, train=self.train
        )
        return self._result(fitted)

    def _result(self, fitted: Fitted) -> Cutout:
        return Cutout(self.workshop.tested(fitted) if self.test_each else fitted, self.recipe)

    def _carve(self, draft: Path, cut: Cut, origin: Fitted) -> Any:
        load_keras()
        from components.pruning.carve import carve

        data = self._batches() if self.recipe.needs_data else None
        model = origin.load()
        return carve(model, cut, self.recipe, draft, original=self.original, data=data)

    def _batches(self) -> Iterator[tuple[Any, np.ndarray]]:
        """Yield the first balanced batches of the training part, not augmented."""
        from components.training.batches import BalancedBatches

        source, settings = self.workshop.source, self.workshop.params.train
        batches = BalancedBatches(
            source.examples["train"],
            num_classes=len(source.classes),
            batch_size=settings.batch_size,
            seed=settings.seed,
            augmented=False,
            image_only=self.workshop.image_only,
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
