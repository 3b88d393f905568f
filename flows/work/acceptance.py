"""Judging the networks that are made of one network, and keeping what was trained to judge them."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from slimderm.components.dataset.variants import ORIGINAL
from slimderm.components.evaluation.metrics import Probabilities
from slimderm.components.evaluation.power import in_words, part_size, powers
from slimderm.components.pruning.acceptance import get as get_acceptance
from slimderm.components.pruning.verdict import Case, Demands, Validation, Verdict
from slimderm.components.pruning.widths import UNPRUNED
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.config import layout
from slimderm.flows.record.provenance import write_provenance
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.training import Trainer
from slimderm.flows.work.training_run import TrainingRun


class Judged(Protocol):
    """A trained network that can be had by other training seeds."""

    @property
    def trained(self) -> TrainingRun:
        """Its training, or what was made of it."""
        ...

    @property
    def again(self) -> Callable[[int], Self]:
        """Takes a number from 1, and makes the same by the training seed that is higher by it."""
        ...


@dataclass(frozen=True)
class SeedRun:
    """A training by another seed, of a smaller network or of the unpruned one."""

    trained: TrainingRun
    number: int
    unpruned: bool


class Acceptance:
    """The rule ``prune.acceptance`` over all networks that are made of one.

    Parameters
    ----------
    trainer : Trainer
        Of the unpruned network.
    num_branches : int
        Sequences of networks over which the rule noninferior divides its error; those of
        ``prune.schedule`` where not given.

    Attributes
    ----------
    baseline : dict
        Record of the unpruned network that was trained on original images.
    """

    def __init__(self, trainer: Trainer, *, num_branches: int | None = None) -> None:
        self.trainer, self.settings = trainer, trainer.params.prune
        self.baseline = read_json(layout.baseline(trainer.network) / ORIGINAL / "record.json")
        evaluate = trainer.params.evaluate
        demands = self.settings.demands(num_samples=evaluate.bootstrap_samples, seed=evaluate.seed)
        self.demands: Demands = replace(demands, num_branches=num_branches or demands.num_branches)
        self.seeds: dict[str, SeedRun] = {}
        self.num_kept = 0

    def judge(self, own: Judged, unpruned: Judged, parent: Verdict | None) -> Verdict:
        """Judge a network; `parent` is the verdict on what it was made of, None if unpruned."""
        case = Case(
            metrics=own.trained.metrics,
            baseline=self.baseline["metrics"],
            thresholds=self.settings.thresholds_for(self.trainer.network),
            demands=self.demands,
            validation=self._validation(own, unpruned),
            parent=parent,
        )
        return get_acceptance(self.settings.acceptance).judge(case)

    def _validation(self, own: Judged, unpruned: Judged) -> Validation:
        def predict(number: int) -> tuple[Probabilities, Probabilities]:
            runs = [run.again(number) if number else run for run in (own, unpruned)]
            for run, smaller in zip(runs, (True, False), strict=True):
                if number:
                    seed = SeedRun(run.trained, number, not smaller)
                    self.seeds.setdefault(run.trained.key, seed)
            one, other = (run.trained.validation["probabilities"] for run in runs)
            return one, other

        kept, classes = own.trained.validation, self.trainer.source.classes
        return Validation(
            kept["labels"], kept["lesions"], len(classes), predict, self.trainer.melanoma
        )

    def power(self, source: LesionSource) -> str:
        """Say what the validation part can resolve, by one training seed and by all."""
        rows, demands = source.rows("validation"), self.demands
        labels = np.array([source.classes.index(label) for label in rows["label"]])
        size = part_size(labels, rows["lesion_id"].to_numpy(dtype=str), self.trainer.melanoma)
        told = []
        for number in sorted({1, demands.max_seeds}):
            found = powers(
                size,
                demands.margins,
                discordance=self.settings.discordance,
                error=demands.error,
                num_seeds=number,
            )
            seeds = f"{number} training seed{'s' if number > 1 else ''}"
            told.append(f"{in_words(found, demands.margins)} by {seeds}")
        return f"validation, {size}, can resolve {'; '.join(told)}"

    def keep(self, trained: TrainingRun, folder: Path, place: str, **more: Any) -> dict[str, Any]:
        """Copy a network into `folder`, with what else its record says; return the record."""
        share = trained.record["num_parameters"] / self.baseline["num_parameters"]
        record = trained.full_record | {"folder": place, "share_of_parameters": share, **more}
        return _keep(trained, record, folder)

    def keep_seeds(self, name: str, folder: Path) -> list[dict[str, Any]]:
        """Copy what was trained by other seeds to judge `name`, unless it was copied before."""
        found = []
        for run in list(self.seeds.values())[self.num_kept :]:
            place = f"seeds/{self.num_kept:02d}"
            self.num_kept += 1
            notation = f"{UNPRUNED if run.unpruned else name}, seed +{run.number}"
            record = run.trained.full_record | {"notation": notation, "folder": place}
            found.append(_keep(run.trained, record, folder))
        return found


def _keep(trained: TrainingRun, record: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    target = folder / record["folder"]
    shutil.copytree(trained.folder, target)
    write_json(target / "record.json", record)
    write_provenance(target)
    return dict(record)
