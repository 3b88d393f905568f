"""What follows the report's opening: its pictures, and which tables stand beside them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from slimderm.components.dataset.copies import copies_sentence
from slimderm.components.reporting.page import Section
from slimderm.flows.work.report_images import image_sections
from slimderm.flows.work.report_tables import Record, Results

TESTED = [
    f"test_{metric}{end}"
    for metric in ("balanced_accuracy", "melanoma_sensitivity")
    for end in ("", "_low", "_high")
]
# Of the tables, what the page shows.
COMPARISON_COLUMNS = ["network", "variant", "train_accuracy", "validation_accuracy", *TESTED]
NETWORK_COLUMNS = {
    "network": "network",
    "notation": "step or recipe",
    "num_parameters": "parameters",
    "share_of_parameters": "share of parameters",
    "bytes": "bytes",
    "latency_p50_ms": "latency ms",
}
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
    picture = {
        "plots/recipes.png": "bytes of the file against balanced accuracy on validation, a line a "
        "recipe, with the interval of its last network"
    }
    return [Section("Recipes", (*sentences, *reasons), table, picture)]


def _networks(results: Results) -> Section:
    """Lay out each network whole, at its smallest accepted size, and as each recipe left it."""
    rows = []
    for network in results.pruned:
        records = [results.unpruned(network), results.pruned[network]["smallest"]]
        records += [each for each in results.slimmed if each["network"] == network]
        rows += [_network_row(results.tested(record)) for record in records if record]
    return Section(
        "Every network",
        (
            "Unpruned (R0, on compressed images), at its smallest accepted size, and as recipes "
            "left it. Bytes are those of the .keras file, of a recipe those of the .slim file.",
        ),
        pd.DataFrame(rows).drop_duplicates(["network", "step or recipe"]),
    )


def _network_row(record: Record) -> dict[str, object]:
    row = {title: record[name] for name, title in NETWORK_COLUMNS.items()}
    row["bytes"] = record.get("ledger", {}).get("slim_bytes", record["bytes"])
    metric = "test_balanced_accuracy"
    row |= {"balanced accuracy": record["metrics"].get(metric, math.nan)}
    low, high = record.get("intervals", {}).get(metric, (math.nan, math.nan))
    return row | {"low": low, "high": high, "verdict": record["verdict"]["word"]}


def sections(results: Results, saved: str) -> list[Section]:
    """Lay out what follows the opening; `saved` is the sentence on the bytes saved."""
    copies = [text] if (text := copies_sentence(results.frames["shortfall"])) else []
    rest = [
        *image_sections(results, saved),
        *_trainings(results, copies),
        *_recipes(results.frames),
        Section("What the split gave, and what it could not", copies, results.frames["shortfall"]),
        _quarantine(results.frames["quarantine"]),
    ]
    return [_networks(results), *(replace(section, folded=True) for section in rest)]


def _quarantine(reasons: pd.DataFrame) -> Section:
    said = "Rows and files that could not be used, by reason. data/quarantine.csv has each."
    return Section("Quarantine", ("Nothing." if reasons.empty else said,), reasons)


def _trainings(results: Results, copies: Sequence[str]) -> list[Section]:
    """Lay out the unpruned networks, and every pruning step."""
    frames = results.frames
    return [
        Section(
            "Networks on original and on compressed images",
            (
                "Shares. The columns low and high bound the interval over resampled lesions. "
                "tables/comparison.csv has every metric.",
                *copies,
            ),
            frames["comparison"].filter(COMPARISON_COLUMNS),
            {
                "plots/learning_curves.png": "training and validation accuracy against epoch, a "
                "panel a training",
                "plots/confusion.png": "confusion matrices on the test part, rows what is true, "
                "columns what was predicted",
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
            {
                "plots/pruning_path.png": "validation accuracy against parameters, a panel a "
                "network: filled marks are accepted, open ones refused, grey ones inconclusive"
            },
        ),
    ]
