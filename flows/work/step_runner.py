"""What a pruning schedule calls: prune a trained network, train the result, find both again."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from slimderm.components.pruning.method import PruningMethod, PruningStep
from slimderm.components.pruning.schedules.base import StepResult
from slimderm.components.training.networks import NETWORKS
from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.work.training import Trainer
from slimderm.flows.work.training_run import TrainingRun


def fixed_layers(network: str, *, image_only: bool) -> tuple[str, ...]:
    """Return the layers that the paper does not prune; a backbone has none."""
    return NETWORKS[network].fixed(image_only=image_only) if network in NETWORKS else ()


@dataclass(frozen=True)
class PrunedRun:
    """A pruned network, trained.

    Attributes
    ----------
    again : callable
        Takes a number from 1, and trains the same network by the training seed that is higher by
        it, with everything that it is pruned from where it inherits weights.
    """

    trained: TrainingRun
    method: PruningMethod
    again: Callable[[int], "PrunedRun"]

    @property
    def metrics(self) -> Mapping[str, float]:
        """Shares such as ``validation_accuracy``."""
        return self.trained.metrics

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Channels of each group of layers that may shrink; for masks, each layer's weights."""
        load_keras()
        from slimderm.components.pruning.apply_step import maskable, sizes

        measure = maskable if self.method.masks else sizes
        return measure(self.trained.load(), self.method.limits)

    @cached_property
    def sparsity(self) -> float:
        """Share of zeros among the trained weights that multiply; NaN where nothing is masked."""
        if not self.method.masks:
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
    method : PruningMethod
        How channels or weights are chosen.
    train : TrainingSettings
        How a pruned network is trained.
    data_batches : int
        Batches of the training part for criteria that look at data.
    test_each : bool
        Whether every step is judged on the test part, too.
    """

    def __init__(
        self,
        trainer: Trainer,
        method: PruningMethod,
        train: TrainingSettings,
        *,
        data_batches: int = 8,
        test_each: bool = False,
    ) -> None:
        self.trainer, self.method, self.train = trainer, method.in_effect(), train
        self.data_batches, self.test_each = data_batches, test_each
        self.original: Mapping[str, int] = {}

    def __call__(
        self, pruning_step: PruningStep | None, parent: StepResult | None, notation: str
    ) -> PrunedRun:
        """Train the unpruned network, or what a pruning step leaves of another's."""
        title = f"{self.trainer.network}: {notation}"
        if pruning_step is None or parent is None:
            found = self._result(self.trainer.fit(title), None, None, notation)
            self.original = found.sizes
            return found
        origin: TrainingRun = parent.evaluation.trained
        trained = self.trainer.refit(
            self._content(pruning_step, origin),
            lambda draft: self._prune(draft, pruning_step, origin),
            title,
            train=self.train,
        )
        return self._result(trained, pruning_step, parent, notation)

    def _content(self, pruning_step: PruningStep, origin: TrainingRun) -> dict[str, Any]:
        return {
            "parent": origin.key,
            "pruning_step": asdict(pruning_step),
            "method": asdict(self.method),
            "original": dict(self.original) if pruning_step.total is not None else None,
            "data_batches": self.data_batches if self.method.needs_data else None,
            "code": code_hash("slimderm.components.pruning.apply_step"),
        }

    def _result(
        self,
        trained: TrainingRun,
        pruning_step: PruningStep | None,
        parent: StepResult | None,
        notation: str,
    ) -> PrunedRun:
        def again(number: int) -> PrunedRun:
            start = parent
            if start is not None and self.method.init == "inherit":
                start = replace(start, evaluation=start.evaluation.again(number))
            return self._with_seed(number)(pruning_step, start, f"{notation}, seed +{number}")

        judged = self.trainer.tested(trained) if self.test_each else trained
        return PrunedRun(judged, self.method, again)

    def _with_seed(self, number: int) -> "StepRunner":
        """Return a runner that does the same by another training seed."""
        seed = self.train.seed + number
        other = type(self)(
            self.trainer.with_seed(seed),
            replace(self.method, seed=seed),
            replace(self.train, seed=seed),
            data_batches=self.data_batches,
        )
        other.original = self.original
        return other

    def _prune(self, draft: Path, pruning_step: PruningStep, origin: TrainingRun) -> Any:
        load_keras()
        from slimderm.components.pruning.apply_step import apply_step

        data = self.trainer.batches(self.data_batches) if self.method.needs_data else None
        model = origin.load()
        return apply_step(
            model, pruning_step, self.method, draft, original=self.original, data=data
        )


class ControlRunner(StepRunner):
    """Prunes nothing: the network is trained on where a pruned one would be fine-tuned."""

    def _content(self, pruning_step: PruningStep, origin: TrainingRun) -> dict[str, Any]:
        return {"trained_on": origin.key}

    def _prune(self, draft: Path, pruning_step: PruningStep, origin: TrainingRun) -> Any:
        return origin.load()


def fine_tuning(
    train: TrainingSettings, init: str, epochs: int | None, learning_rate: float | None
) -> TrainingSettings:
    """Return how a pruned network is trained: anew as the unpruned one, or on from its weights."""
    if init == "scratch":
        return train
    return replace(
        train,
        epochs=epochs or train.epochs,
        learning_rate=learning_rate or train.learning_rate,
    )
