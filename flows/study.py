"""Step: one pruning study; every arm, seed, schedule and ratio, trained and tested."""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from prefect import flow

from components.pruning.acceptance import Verdict
from components.pruning.recipe import Budget, Cut, Limits, Recipe
from components.pruning.schedules import Step
from components.pruning.sequences import chain, iterative, layerwise, one_shot
from components.pruning.study import Arm, StudySettings, parse_arm
from components.reporting.curves import curves
from components.reporting.fronts import fronts
from components.reporting.fronts import table as readable
from components.reporting.page import markdown_table
from flows import reencoded
from flows.cutting import Cutout, Cutting, fixed_layers
from flows.examples import CifarSource, LesionSource, Source
from flows.fitting import Fitted, Workshop
from flows.likeness import compare, same_place
from flows.params import Params, read_params
from flows.reencoded import ReencodedSource
from flows.runs import record_files
from flows.runtime import console, load_keras, replacing, write_json
from flows.steps import run_step
from flows.study_tables import Run, by_variant, histories, predictions, summarise, table, ways

STUDIES = Path("data/studies")


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
        if settings.cifar:  # it has one variant
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
                name = workshop.source.name
                unpruned = workshop.tested(workshop.fit(f"{name}, seed {seed}: unpruned"))
                yield Run(name, seed, "unpruned", "", 0.0, unpruned, (unpruned,))
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
        place = (workshop.source.name, train.seed, arm.name, schedule)
        for ratio, steps in self._steps(cutting, arm, schedule, name):
            cuts = tuple(step.evaluation.fitted for step in steps)
            sparsity = steps[-1].evaluation.sparsity
            yield Run(*place, ratio, workshop.tested(cuts[-1]), cuts, sparsity)

    def _steps(
        self, cutting: Cutting, arm: Arm, schedule: str, name: str
    ) -> Iterator[tuple[float, list[Step]]]:
        """Yield each ratio's cuts: from the unpruned network on, or with ``path`` its own alone."""
        settings = self.settings

        def work(cut: Cut | None, parent: Step | None, notation: str) -> Cutout:
            return cutting(self._matched(cutting, arm, cut), parent, f"{name}, {notation}")

        if schedule == "path":
            cuts = [(f"{100 * ratio:g}%", Cut(total=ratio)) for ratio in settings.ratios]
            steps = chain(work, _accept, cuts)
            next(steps)
            yield from ((ratio, [step]) for ratio, step in zip(settings.ratios, steps, strict=True))
            return
        for ratio in settings.ratios:
            if schedule == "one_shot":
                steps = one_shot(work, _accept, ratio=ratio)
            elif schedule == "iterative":
                steps = iterative(work, _accept, ratio=ratio, num_steps=max(1, settings.num_steps))
            else:
                steps = layerwise(work, _accept, ratio=ratio, num_parts=settings.num_steps or None)
            unpruned, *cut = steps
            yield ratio, cut or [unpruned]  # layer by layer there may be nothing to cut

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
    history = histories(runs)
    history.to_csv(folder / "history.csv", index=False)
    history["way"] = ways(history)
    seed = own.settings.seeds[0]
    for variant, part in summary.groupby("variant", sort=False):
        (folder / f"table_{variant}.md").write_text(markdown_table(readable(part)))
        title = f"{name}: {own.settings.network} on {variant} images"
        fronts(part, title=title).savefig(folder / f"fronts_{variant}.png", dpi=130)
        epochs = history[(history["variant"] == variant) & (history["seed"] == seed)]
        curves(epochs, title=title).savefig(folder / f"curves_{variant}.png", dpi=110)
    if len(own.settings.variants) > 1:
        title = f"{name}: {own.settings.network}, the same pruning on each variant"
        figure = fronts(by_variant(summary), title=title, costs=("num_parameters",))
        figure.savefig(folder / "fronts_variants.png", dpi=130)
    if own.settings.similarity:
        write_likeness(folder, runs, own)


def write_likeness(folder: Path, runs: Sequence[Run], own: Study) -> None:
    """Compare the schedules of each arm at each ratio, first variant and seed."""
    variant, seed = runs[0].variant, own.settings.seeds[0]
    own_runs = [run for run in runs if (run.variant, run.seed) == (variant, seed)]
    unpruned = next(run.fitted for run in own_runs if run.arm == "unpruned")
    examples = own.source(variant).examples["test"]
    groups: dict[tuple[str, float], dict[str, Fitted]] = {}
    for run in own_runs:
        if run.arm != "unpruned":
            group = groups.setdefault((run.arm, run.ratio), {"unpruned": unpruned})
            group[run.schedule] = run.fitted
    tables = [
        compare(folder, arm, ratio, fitted, examples) for (arm, ratio), fitted in groups.items()
    ]
    similarity = pd.concat(tables)
    similarity.to_csv(folder / "cka.csv", index=False)
    same_place(similarity).to_csv(folder / "cka_same_place.csv", index=False)


@flow(name="study", flow_run_name="study-{name}")
def study(name: str) -> None:
    """Write ``data/studies/<name>``: ``runs.csv``, ``summary.csv``, ``differences.csv``, pictures.

    All of it is logged to MLflow, too.
    ``predictions.npz`` holds every network's probabilities on the test part.
    """
    params = read_params()
    own = Study(params, params.study(name))
    runs = []
    for run in own.runs():
        runs.append(run)
        record, metrics = run.fitted.record, run.fitted.metrics
        zeros = "" if math.isnan(run.sparsity) else f", {run.sparsity:.1%} of the weights zero"
        console.print(
            f"study {name}: {run.variant}, seed {run.seed}, {run.arm} {run.schedule} "
            f"{100 * run.ratio:g}%: {record['num_parameters']:,} parameters{zeros}, test "
            f"balanced accuracy {metrics['test_balanced_accuracy']:.3f}",
            highlight=False,
            soft_wrap=True,
        )
    folder = STUDIES / name
    with replacing(folder) as draft:
        write(draft, runs, own, name)
    record_files(params, "studies", name, folder)
    console.print(f"study {name}: {len(runs)} networks, tables and pictures in {folder}")


if __name__ == "__main__":
    run_step(study, *sys.argv[1:])
