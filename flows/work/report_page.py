"""The report's page: its pictures, and which tables stand beside them."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from slimderm.components.common.errors import ParameterError
from slimderm.components.dataset.copies import copies_sentence
from slimderm.components.quality.metrics import HEADLINE, METRICS
from slimderm.components.quality.storage_sentences import storage_sentences
from slimderm.components.reporting import (
    pruning_plots,
    recipe_plots,
    storage_plots,
    sweep_plots,
    training_plots,
)
from slimderm.components.reporting.page import Section
from slimderm.flows.config import layout
from slimderm.flows.config.choice import StorageChoice
from slimderm.flows.work.report_tables import Results

TESTED = [
    f"test_{metric}{end}"
    for metric in ("balanced_accuracy", "melanoma_sensitivity")
    for end in ("", "_low", "_high")
]
# Of the tables, what the page shows.
COMPARISON_COLUMNS = ["network", "variant", "train_accuracy", "validation_accuracy", *TESTED]
PRUNING_COLUMNS = [
    "network",
    "notation",
    "num_parameters",
    "share_of_parameters",
    "latency_p50_ms",
    "validation_accuracy",
    "test_balanced_accuracy",
    "verdict",
    "reason",
]
RECIPE_COLUMNS = [
    "network",
    "notation",
    "parameters",
    "times_fewer_parameters",
    "slim_bytes",
    "times_fewer_bytes",
    "latency_p50_ms",
    "validation_balanced_accuracy",
    "low",
    "high",
    "verdict",
]
SIZE_QUALITY = {name: METRICS[name].label for name in HEADLINE}


def figures(results: Results) -> dict[str, Figure]:
    """Draw every picture of the report, by its file's name without ending."""
    frames, baselines, pruned = results.frames, results.baselines, results.pruned
    k = results.choice.k
    finals = {
        f"{name} {run['smallest']['notation']}": run["smallest"]
        for name, run in pruned.items()
        if run["smallest"]
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


def _storage_sentences(arms: pd.DataFrame, choice: StorageChoice) -> list[str]:
    """Say what saved the bytes, or that the study did not try what was chosen."""
    k = choice.k if choice.k in set(arms["k"]) else None  # it leaves full rank out
    try:
        return storage_sentences(arms, codec=choice.codec, quality=choice.quality, k=k)
    except ParameterError as error:
        return [f"{error}."]


def _growth(frames: Mapping[str, pd.DataFrame]) -> list[Section]:
    """Lay out what is counted of the paper's networks, where one is listed."""
    if frames["growth"].empty:
        return []
    return [
        Section(
            "Parameters against iteration",
            ("The paper's figure 2: how fast parameters fall, by which convolutions shrink.",),
            frames["growth"],
            {"plots/growth.png": "parameters against pruning iteration"},
        ),
        Section("Sizes at the paper's input sizes", (), frames["sizes"]),
    ]


def _recipes(frames: Mapping[str, pd.DataFrame]) -> list[Section]:
    """Lay out the ledgers of the recipes, where there are any."""
    if "recipes" not in frames:
        return []
    sentences = (
        "What each pass left. Bytes are those of the .slim file; times fewer is against the "
        "float32 weights of the unpruned network. The last network of a recipe is judged like a "
        "pruned one. tables/recipes.csv has the controls: zstd of the weights as they are, of "
        "eight bits, and of the numbers of their values.",
    )
    judged = frames["recipes"].dropna(subset="verdict")
    reasons = [f"{row.notation}: {row.reason}." for row in judged.itertuples()]
    table = frames["recipes"].filter(RECIPE_COLUMNS)
    picture = {"plots/recipes.png": "bytes of the file against balanced accuracy on validation"}
    return [Section("Recipes", (*sentences, *reasons), table, picture)]


def sections(results: Results, saved: str) -> list[Section]:
    """Lay out the page; `saved` is the sentence on the bytes saved."""
    frames, choice, k = results.frames, results.choice, results.choice.k
    copies = [text] if (text := copies_sentence(frames["shortfall"])) else []
    return [
        Section(
            "Images",
            (choice.reason, saved),
            frames["storage"],
            {
                "plots/size_quality.png": "bytes against quality, with the encoder alone",
                "plots/metrics.png": "every metric against k, with its spread",
            },
        ),
        Section(
            "Storage options",
            (
                "Every codec without SVD and at the chosen k, on a sample of the images.",
                *_storage_sentences(frames["arms"], choice),
            ),
            storage_plots.options_table(frames["arms"], k),
            {"plots/rate_distortion.png": "quality against bits per pixel, dashed with SVD"},
        ),
        Section(
            "Bytes at equal quality",
            ("Bjøntegaard rate differences against JPEG without SVD: below zero is fewer bytes.",),
            storage_plots.rates_wide(frames["rates"]),
        ),
        Section(
            "Input size",
            (results.size.reason,),
            frames["resolutions"],
            {"plots/input_sizes.png": "what is left of an image and what a network costs"},
        ),
        Section(
            "Networks on original and on compressed images",
            (
                "Shares. The columns low and high bound the interval over resampled lesions. "
                "tables/comparison.csv has every metric.",
                *copies,
            ),
            frames["comparison"].filter(COMPARISON_COLUMNS),
            {
                "plots/learning_curves.png": "accuracy against epoch",
                "plots/confusion.png": "confusion matrices on the test part",
            },
        ),
        Section(
            "What age, sex and site contribute",
            (
                "Test balanced accuracy with them and on images alone. Then what validation loses "
                "when one of them is dealt out at random (lost), and the share of predictions that "
                "change with it (changed).",
            ),
            frames["metadata"],
        ),
        Section(
            "Pruning",
            (
                "Each step as tried, its verdict, and why. tables/pruning.csv has every width, "
                "size and metric.",
                *(run["ending"] for run in results.pruned.values() if run["ending"]),
                *copies,
                *results.power,
            ),
            frames["pruning"].filter(PRUNING_COLUMNS),
            {"plots/pruning_path.png": "validation accuracy against parameters"},
        ),
        *_recipes(frames),
        *_growth(frames),
        Section("What the split gave, and what it could not", copies, frames["shortfall"]),
        Section("Quarantine", (), frames["quarantine"]),
    ]
