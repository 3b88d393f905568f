"""The report's pictures."""

import pandas as pd
from matplotlib.figure import Figure

from slimderm.components.quality.metrics import HEADLINE, METRICS
from slimderm.components.reporting import (
    pruning_plots,
    recipe_plots,
    storage_plots,
    sweep_plots,
    training_plots,
)
from slimderm.flows.config import layout
from slimderm.flows.work.report_tables import Results

SIZE_QUALITY = {name: METRICS[name].label for name in HEADLINE}


def figures(results: Results) -> dict[str, Figure]:
    """Draw every picture of the report, by its file's name without ending."""
    frames, baselines, pruned = results.frames, results.baselines, results.pruned
    k = results.choice.k
    smallest = [run["smallest"] for run in pruned.values() if run["smallest"]]
    finals = {
        f"{record['network']} {record['notation']}": record
        for record in (*smallest, *results.slimmed)
        if "confusion" in record
    }
    confusions = {f"{record['network']}, {record['variant']}": record for record in baselines}
    histories = dict(iter(frames["learning_curves"].groupby("series", sort=False)))
    paths = pd.read_csv(layout.GROWTH / "paths.csv")
    labels = {name: metric.label for name, metric in METRICS.items()}
    drawn = {
        "metrics": sweep_plots.metrics_against_rank(frames["sweep"], labels, k),
        "size_quality": sweep_plots.size_against_quality(frames["sweep"], SIZE_QUALITY),
        "rate_distortion": storage_plots.rate_distortion(frames["arms"], SIZE_QUALITY, k),
        "input_sizes": storage_plots.input_sizes(frames["resize"], frames["resolutions"]),
        "learning_curves": training_plots.learning_curves(histories),
        "confusion": training_plots.confusion_matrices(confusions | finals),
        "pruning_path": pruning_plots.pruning_path(
            frames["pruning"], "validation_accuracy", "validation accuracy"
        ),
    }
    if len(paths):
        factors = sorted(set(paths["factor"]), reverse=True)
        drawn["growth"] = pruning_plots.growth(paths, frames["growth"], factors)
    if "recipes" in frames:
        drawn["recipes"] = recipe_plots.recipe_paths(
            frames["recipes"], "validation_balanced_accuracy", "validation balanced accuracy"
        )
    return drawn
