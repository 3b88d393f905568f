"""Step: one pruning study; every arm, seed, schedule and ratio, trained and tested."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from prefect import flow

from components.comparison import Comparison, rows_of
from components.pruning.acceptance import Verdict
from components.pruning.recipe import Budget, Cut, Limits, Recipe
from components.pruning.schedules import Step, chain, iterative, layerwise, one_shot
from components.pruning.study import Arm, StudySettings, parse_arm
from components.reporting.fronts import METRICS, fronts
from flows import reencoded
from flows.cutting import Cutout, Cutting, fixed_layers
from flows.examples import CifarSource, LesionSource, Source
from flows.fitting import Fitted, Workshop
from flows.likeness import compare, same_place
from flows.params import Params, read_params
from flows.reencoded import ReencodedSource
from flows.runtime import console, load_keras, replacing, run_step, write_json

KEPT = (
    "num_parameters",
    "multiply_accumulates",
    "bytes",
    "latency_p50_ms",
    "training_seconds",
)


@dataclass(frozen=True)
class Run:
    """One trained network of a study."""

    variant: str
    seed: int
    arm: str
    schedule: str
    ratio: float
    fitted: Fitted


class Study:
    """One study: the networks it wants, each trained or found."""

    def __init__(self, params: Params, settings: StudySettings) -> None:
        self.params, self.settings = params, settings
        self.sources: dict[str, Source] = {}

    def source(self, variant: str) -> Source:
        """Return the examples of a variant, read once for all seeds and arms."""
        if variant not in self.sources:
            self.sources[variant] = self._read(variant)
        return self.sources[variant]

    def _read(self, variant: str) -> Source:
        settings = self.settings
        if settings.cifar:
            return CifarSource(settings.cifar)
        if variant == reencoded.NAME:
            return ReencodedSource(self.params, max_train=settings.max_train)
        return LesionSource(self.params, variant, max_train=settings.max_train)

    def runs(self) -> Iterator[Run]:
        """Yield every network: of each variant and seed the unpruned one, then each arm's."""
        settings = self.settings
        for variant in settings.variants:
            for seed in settings.seeds:
                workshop = self._workshop(variant, seed)
                unpruned = workshop.tested(workshop.fit(f"{variant}, seed {seed}: unpruned"))
                yield Run(variant, seed, "unpruned", "", 0.0, unpruned)
                for text in settings.arms:
                    for schedule in settings.schedules:
                        yield from self._arm(workshop, parse_arm(text), schedule)

    def _workshop(self, variant: str, seed: int) -> Workshop:
        settings = self.settings
        train = replace(
            self.params.train,
            seed=seed,
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
        )
        params = replace(self.params, train=train)
        return Workshop(params, settings.network, self.source(variant), weights=settings.weights)

    def _arm(self, workshop: Workshop, arm: Arm, schedule: str) -> Iterator[Run]:
        settings, train = self.settings, workshop.params.train
        fixed = fixed_layers(settings.network, image_only=workshop.image_only)
        recipe = Recipe(
            criterion=arm.criterion,
            scope=arm.scope,
            init=arm.init,
            masks=arm.masks,
            limits=Limits(fixed),
            seed=train.seed,
        )
        if arm.init == "inherit":
            train = replace(
                train,
                epochs=settings.epochs_per_cut(schedule, arm),
                learning_rate=settings.fine_tune_learning_rate,
            )
        cutting = Cutting(workshop, recipe, train)
        name = f"{workshop.source.name}, seed {train.seed}: {arm.name}"
        for ratio, step in self._steps(cutting, arm, schedule, name):
            tested = workshop.tested(step.evaluation.fitted)
            yield Run(workshop.source.name, train.seed, arm.name, schedule, ratio, tested)

    def _steps(
        self, cutting: Cutting, arm: Arm, schedule: str, name: str
    ) -> Iterator[tuple[float, Step]]:
        """Yield the last step of each ratio, or with ``path`` each step."""
        settings = self.settings

        def work(cut: Cut | None, parent: Step | None, notation: str) -> Cutout:
            return cutting(self._matched(cutting, arm, cut), parent, f"{name}, {notation}")

        if schedule == "path":
            cuts = [(f"{100 * ratio:g}%", Cut(total=ratio)) for ratio in settings.ratios]
            steps = chain(work, _accept, cuts)
            next(steps)
            yield from zip(settings.ratios, steps, strict=True)
            return
        for ratio in settings.ratios:
            if schedule == "one_shot":
                steps = one_shot(work, _accept, ratio=ratio)
            elif schedule == "iterative":
                steps = iterative(work, _accept, ratio=ratio, num_steps=max(1, settings.num_steps))
            else:
                steps = layerwise(work, _accept, ratio=ratio, num_parts=settings.num_steps or None)
            yield ratio, list(steps)[-1]

    def _matched(self, cutting: Cutting, arm: Arm, cut: Cut | None) -> Cut | None:
        """Turn a global arm's ratio into the parameters that a local cut of it would leave."""
        if cut is None or arm.masks or arm.scope == "local" or cut.layers is not None:
            return cut
        load_keras()
        from components.pruning.carve import parameters_left

        model = cutting.workshop.fit("").load()
        assert cut.total is not None
        left = parameters_left(model, cut.total, cutting.recipe.limits)
        return Cut(budget=Budget("parameters", left))


def _accept(metrics: Mapping[str, float]) -> Verdict:
    return Verdict(True, "a study judges nothing")


def table(runs: Sequence[Run]) -> pd.DataFrame:
    """Lay out one row a network: where it comes from, what it costs, what it is worth on test."""
    rows = []
    for run in runs:
        record = run.fitted.record
        row: dict[str, Any] = {
            name: getattr(run, name) for name in ("variant", "seed", "arm", "schedule", "ratio")
        }
        row |= {name: record[name] for name in KEPT} | {"key": run.fitted.key}
        row |= {name: value for name, value in run.fitted.metrics.items() if "train" not in name}
        for name, (low, high) in (run.fitted.test or {})["intervals"].items():
            row |= {f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def predictions(runs: Sequence[Run]) -> dict[str, np.ndarray]:
    """Gather the probabilities of every network, (R, N, C), with labels and lesions."""
    found = [np.load(run.fitted.test["predictions"]) for run in runs if run.fitted.test]
    return {
        "probabilities": np.stack([each["probabilities"] for each in found]),
        "labels": found[0]["labels"],
        "lesions": found[0]["lesions"],
    }


def summarise(
    rows: pd.DataFrame, kept: Mapping[str, np.ndarray], melanoma: int | None, params: Params
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the seeds of each network, and compare ways and variants on the same lesions.

    Returns
    -------
    summary : DataFrame
        One row a variant, way and ratio: mean costs, and each metric's mean over seeds with its
        interval.
    differences : DataFrame
        ``against`` the unpruned network of the same variant, and against the same way on other
        variants: each metric's difference with its interval.
    """
    settings = params.evaluate
    comparison = Comparison(
        kept["labels"],
        kept["lesions"],
        melanoma=melanoma,
        num_samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=settings.seed,
    )
    several = rows["schedule"].replace("", np.nan).nunique() > 1
    schedule = rows["schedule"].fillna("").str.replace("_", "-") if several else ""
    rows = rows.assign(way=(rows["arm"] + " " + schedule).str.strip())
    summary, values = [], {}
    for (variant, way, ratio), members in rows.groupby(["variant", "way", "ratio"], sort=False):
        found = comparison.metrics(kept["probabilities"][members.index.to_numpy()])
        values[variant, way, ratio] = found
        place = {"variant": variant, "way": way, "ratio": ratio, "num_seeds": len(members)}
        costs = {name: float(members[name].mean()) for name in KEPT}
        spans = {name: comparison.interval(value) for name, value in found.items()}
        summary.append(place | costs | rows_of(METRICS, spans))
    differences = []
    for (variant, way, ratio), found in values.items():
        others = [(variant, "unpruned", 0.0)] if way != "unpruned" else []
        others += [
            (other, way, ratio)
            for other, *rest in values
            if other != variant and rest == [way, ratio]
        ]
        for other in others:
            spans = {n: comparison.interval(v - values[other][n]) for n, v in found.items()}
            against = "unpruned" if other[0] == variant else other[0]
            place = {"variant": variant, "way": way, "ratio": ratio, "against": against}
            differences.append(place | rows_of(METRICS, spans))
    return pd.DataFrame(summary), pd.DataFrame(differences)


def write(folder: Path, runs: Sequence[Run], own: Study, name: str) -> None:
    """Write a study's tables and pictures."""
    rows, kept = table(runs), predictions(runs)
    rows.to_csv(folder / "runs.csv", index=False)
    arrays: dict[str, Any] = kept
    np.savez_compressed(folder / "predictions.npz", **arrays)
    classes = list(own.source(own.settings.variants[0]).classes)
    write_json(folder / "classes.json", classes)
    melanoma = classes.index("melanoma") if "melanoma" in classes else None
    summary, differences = summarise(rows, kept, melanoma, own.params)
    summary.to_csv(folder / "summary.csv", index=False)
    differences.to_csv(folder / "differences.csv", index=False)
    for variant, part in summary.groupby("variant", sort=False):
        title = f"{name}: {own.settings.network} on {variant} images"
        fronts(part, title=title).savefig(folder / f"fronts_{variant}.png", dpi=130)
    if own.settings.similarity:
        write_likeness(folder, runs, own)


def write_likeness(folder: Path, runs: Sequence[Run], own: Study) -> None:
    """Compare the schedules of each arm at the largest ratio, first variant and seed."""
    settings = own.settings
    variant, seed, ratio = settings.variants[0], settings.seeds[0], settings.ratios[-1]
    own_runs = [run for run in runs if (run.variant, run.seed) == (variant, seed)]
    unpruned = next(run.fitted for run in own_runs if run.arm == "unpruned")
    tables = []
    for arm in dict.fromkeys(run.arm for run in own_runs if run.arm != "unpruned"):
        fitted = {"unpruned": unpruned}
        fitted |= {
            run.schedule: run.fitted for run in own_runs if (run.arm, run.ratio) == (arm, ratio)
        }
        tables.append(compare(folder, arm, fitted, own.source(variant).examples["test"]))
    similarity = pd.concat(tables)
    similarity.to_csv(folder / "cka.csv", index=False)
    same_place(similarity).to_csv(folder / "cka_same_place.csv", index=False)


@flow(name="study", flow_run_name="study-{name}")
def study(name: str) -> None:
    """Write ``data/studies/<name>``: ``runs.csv``, ``summary.csv``, ``differences.csv``, pictures.

    ``predictions.npz`` holds every network's probabilities on the test part.
    """
    params = read_params()
    own = Study(params, params.study(name))
    runs = []
    for run in own.runs():
        runs.append(run)
        record, metrics = run.fitted.record, run.fitted.metrics
        console.print(
            f"study {name}: {run.variant}, seed {run.seed}, {run.arm} {run.schedule} "
            f"{100 * run.ratio:g}%: {record['num_parameters']:,} parameters, test balanced "
            f"accuracy {metrics['test_balanced_accuracy']:.3f}",
            highlight=False,
            soft_wrap=True,
        )
    with replacing(f"data/studies/{name}") as draft:
        write(draft, runs, own, name)
    console.print(f"study {name}: {len(runs)} networks, tables and pictures in data/studies/{name}")


if __name__ == "__main__":
    run_step(study, *sys.argv[1:])
