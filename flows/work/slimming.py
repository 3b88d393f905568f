"""One recipe of the section slim: passes over a trained network, each network kept and counted."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import content_key, place
from slimderm.components.dataset.variants import COMPRESSED
from slimderm.components.pruning.verdict import Verdict
from slimderm.components.pruning.widths import UNPRUNED
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.files import read_json
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.work.acceptance import Acceptance
from slimderm.flows.work.pruning import Pruning
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.training import Trainer
from slimderm.flows.work.training_run import TrainingRun


@dataclass(frozen=True)
class SlimRun:
    """A network that can be made by other training seeds, as acceptance rules ask."""

    trained: TrainingRun
    again: Callable[[int], "SlimRun"]


class Slimming:
    """One recipe.

    Parameters
    ----------
    params : Params
        All parameters.
    name : str
        Of the recipe.
    """

    def __init__(self, params: Params, name: str) -> None:
        self.params, self.name, self.settings = params, name, params.recipe(name)
        self.network = self.settings.network
        self.source = LesionSource(params, COMPRESSED)
        self.trainer = Trainer(params, self.network, self.source)
        recipes = [each for each in params.slim.values() if each.network == self.network]
        self.pruning = read_json(layout.pruned(self.network) / "steps.json")
        self.acceptance = Acceptance(self.trainer, num_branches=len(recipes))

    @property
    def notations(self) -> list[str]:
        """What is told of each network of `networks`."""
        passes = [f"{self.name}: {given['pass']}" for given in self.settings.passes]
        return [f"{self.name}: start", *passes]

    def networks(self, number: int = 0) -> Iterator[TrainingRun]:
        """Yield what the recipe starts from, and what each pass makes.

        Parameters
        ----------
        number : int
            Added to the training seed.
        """
        trainer = self._trainer(number)
        unpruned = self._unpruned(number)
        made = unpruned if self.settings.start == "unpruned" else self._smallest(number)
        yield made
        for index in range(len(self.settings.passes)):
            made = trainer.remake(
                self._content(index, made, unpruned),
                partial(self._apply, trainer, index, made, unpruned),
            )
            yield made

    def _trainer(self, number: int) -> Trainer:
        return self.trainer.with_seed(self.params.train.seed + number) if number else self.trainer

    def _unpruned(self, number: int) -> TrainingRun:
        if not number:
            return self._kept(self.pruning["steps"][0])
        trainer = self._trainer(number)
        return trainer.fit(self._title(UNPRUNED, trainer))

    def _kept(self, record: Mapping[str, Any]) -> TrainingRun:
        """Find what the stage prune kept; its training's cache may be on another machine."""
        return TrainingRun(record["key"], layout.pruned(self.network) / record["folder"])

    def _title(self, notation: str, trainer: Trainer) -> str:
        number = trainer.params.train.seed - self.params.train.seed
        return f"{self.network}: {notation}" + (f", seed +{number}" if number else "")

    def _smallest(self, number: int) -> TrainingRun:
        """Find the smallest accepted network, the unpruned one where there is none.

        By another seed it is trained.
        """
        smallest = self.pruning["smallest"]
        if smallest is None:
            return self._unpruned(number)
        if not number:
            return self._kept(smallest)
        steps = Pruning(self.params, self.network).steps()  # from the cache, where it is here
        found = next(step for step in steps if step.notation == smallest["notation"])
        again: TrainingRun = found.evaluation.again(number).trained
        return again

    def _content(self, index: int, origin: TrainingRun, unpruned: TrainingRun) -> dict[str, Any]:
        return {
            "parent": origin.key,
            "teacher": unpruned.key,
            "pass": self.settings.passes[index],
            "learning_rate": self.settings.learning_rate,
            "data_batches": self.settings.data_batches,
            "code": code_hash("slimderm.components.network_compression.table"),
        }

    def _apply(
        self, trainer: Trainer, index: int, origin: TrainingRun, unpruned: TrainingRun, draft: Path
    ) -> tuple[Any, list[Any]]:
        """Make the next network; return it and the trainings that were part of it."""
        load_keras()
        from slimderm.components.keras_support.seeding import seeded
        from slimderm.components.network_compression.recipe import keep_code

        step = self.settings.step(index, unpruned.load)
        seed, histories = trainer.params.train.seed, []
        title = self._title(self.notations[index + 1], trainer)
        settings = replace(
            trainer.params.train,
            epochs=max(1, step.epochs),
            learning_rate=self.settings.learning_rate,
        )

        def fine_tune(model: Any) -> None:
            with seeded(seed):
                histories.append(trainer.train(model, settings, title))

        key = content_key(progress_of=self._content(index, origin, unpruned), trainer=trainer.key)
        progress = place(self.params.record.cache, key)
        made = step.made_by.apply(
            origin.load(),
            data=trainer.batches(self.settings.data_batches),
            fine_tune=fine_tune if step.epochs else None,
            seed=seed,
            progress=progress,
        )
        shutil.rmtree(progress, ignore_errors=True)
        if not step.epochs:
            trainer.settle(made.model)
        keep_code(draft, made.code)
        (draft / "report.txt").write_text(f"{made.report}\n")
        return made.model, histories

    def verdict(self, last: TrainingRun) -> Verdict:
        """Judge the recipe's last network; those before it are only on the way to it."""
        unpruned = self._run(self._unpruned, self._unpruned(0))
        reference = self.acceptance.judge(unpruned, unpruned, None)
        if self.params.prune.tests_each_step:
            last = self.trainer.tested(last)
        own = self._run(lambda number: list(self.networks(number))[-1], last)
        return self.acceptance.judge(own, unpruned, reference)

    def _run(self, make: Callable[[int], TrainingRun], made: TrainingRun) -> SlimRun:
        return SlimRun(made, lambda number: self._run(make, make(number)))
