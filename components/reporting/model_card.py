"""A model's card and its reliability plot, for the page of a registered version."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from slimderm.components.evaluation.gates import Check, number
from slimderm.components.reporting.page import markdown_table
from slimderm.components.reporting.style import COLOURS, GREY, tidy_axes
from slimderm.components.reporting.version_facts import headline

SHOWN = {
    "test_balanced_accuracy": "balanced accuracy, test",
    "test_melanoma_sensitivity": "melanoma sensitivity, test",
    "test_auroc": "AUROC, test",
    "validation_balanced_accuracy": "balanced accuracy, validation",
    "num_parameters": "parameters",
    "bytes": "bytes of the Keras file",
    "latency_p50_ms": "milliseconds an image, Keras (p50, where it was trained)",
}
SHIPPED = {
    "edge.target": "shipped as",
    "edge.bytes": "bytes of the shipped file, which the gates judge",
    "edge.latency_p50_ms": "milliseconds an image, shipped file (p50, where it was reviewed)",
}


def reliability_plot(
    tables: Mapping[str, pd.DataFrame], title: str = "Reliability on the test lesions"
) -> Figure:
    """Draw accuracy against confidence, a line for each table of `calibration.reliability`.

    A point's area goes with the images in its bin; on the diagonal confidence is accuracy.
    """
    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    ax = tidy_axes(figure.subplots(), title=title, x="confidence")
    ax.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")
    for colour, (name, table) in zip(COLOURS, tables.items(), strict=False):
        share = table["num_images"] / table["num_images"].sum()
        ax.plot(table["confidence"], table["accuracy"], color=colour, lw=1, label=name)
        ax.scatter(table["confidence"], table["accuracy"], s=10 + 240 * share, color=colour)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), ylabel="accuracy")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.legend(fontsize=8, frameon=False)
    return figure


def gates_table(checks: Sequence[Check]) -> pd.DataFrame:
    """Lay out gates for reading."""
    return pd.DataFrame(
        {
            "gate": check.name.replace("_", " "),
            "this": number(check.challenger),
            "against": "" if check.reference is None else number(check.reference),
            "difference": ""
            if check.low is None
            else f"{check.challenger - (check.reference or 0):+.3f} "
            f"({check.low:+.3f} to {check.high:+.3f})",
            "must": f"lie above {check.limit:+.3f}"
            if check.low is not None
            else f"be at most {number(check.limit)}",
            "": check.word if check.passed else f"**{check.word}**",
        }
        for check in checks
    )


def _shown(fact: str) -> str:
    return f"{int(fact):,}" if fact.isdecimal() else fact


def model_card(
    version: Any,
    *,
    facts: Mapping[str, str],
    made_of: Mapping[str, str],
    metrics: Mapping[str, float],
    against: str,
    checks: Sequence[Check],
    calibration: Mapping[str, float],
    power: str,
) -> str:
    """Write a registered version's card as Markdown.

    Parameters
    ----------
    version : object
        With ``name`` and ``version``.
    facts : mapping
        The version's tags, as `slimderm.components.reporting.version_facts.headline` reads them.
    made_of : mapping
        Tags of the run that trained it.
    metrics : mapping
        Its figures, as its record names them.
    against : str
        What it was judged against.
    checks : sequence of Check
        The gates.
    calibration : mapping
        ``temperature``, ``ece``, ``ece_calibrated``, ``num_images``, ``num_copies`` (left out).
    power : str
        What the test part can resolve, in words.
    """
    copies = calibration.get("num_copies", 0)
    rows = [(label, number(metrics[name])) for name, label in SHOWN.items() if name in metrics]
    rows += [(label, _shown(facts[name])) for name, label in SHIPPED.items() if name in facts]
    quality = pd.DataFrame(rows, columns=["", "value"])
    made = {
        "network": f"{made_of.get('network', '?')} {made_of.get('notation', '')}".strip(),
        "git commit": made_of.get("mlflow.source.git.commit", "?")
        + (" with uncommitted changes" if made_of.get("git.dirty") == "true" else ""),
        "raw data": made_of.get("dvc.raw", "?"),
        "compressed data": made_of.get("dvc.compressed", "?"),
        "split": made_of.get("dvc.splits.csv", "?"),
    }
    lines = [
        headline(facts),
        f"# {version.name} version {version.version}",
        "Classifies a dermatoscopic image with age, sex and site. **Not a medical device**: nobody "
        "has validated it clinically. Trained on HAM10000-like data (CC BY-NC 4.0), two sites, "
        "mostly lighter skin.",
        f"## Gates, against {against}",
        f"Paired over {calibration['num_images']} test images, lesions resampled whole. "
        f"These {power}." + (f" Their {copies} augmented copies are left out." if copies else ""),
        markdown_table(gates_table(checks)),
        "## Quality and cost",
        markdown_table(quality),
        "## Calibration",
        f"Expected calibration error {calibration['ece']:.3f}; {calibration['ece_calibrated']:.3f} "
        f"with the temperature {calibration['temperature']:.2f}, fitted on validation. Prediction, "
        "batch prediction and serving apply it. Picture: review/reliability.png of the run.",
        "## Provenance",
        markdown_table(pd.DataFrame({"": made.keys(), "value": [f"`{v}`" for v in made.values()]})),
    ]
    return "\n\n".join(line.rstrip("\n") for line in lines) + "\n"
