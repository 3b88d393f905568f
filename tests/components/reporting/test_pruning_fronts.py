"""Fronts of accuracy against cost, and their table."""

import math

import pandas as pd

from slimderm.components.reporting.pruning_fronts import fronts, table, verdicts


def row(method, ratio, parameters, value, sparsity=math.nan):
    costs = {"num_parameters": parameters, "bytes": 4 * parameters, "latency_p50_ms": 2.0}
    metrics = {}
    for name in ("balanced_accuracy", "melanoma_sensitivity", "accuracy"):
        metrics |= {name: value, f"{name}_low": value - 0.1, f"{name}_high": value + 0.1}
    place = {"method": method, "ratio": ratio, "sparsity": sparsity, "multiply_accumulates": 3e6}
    return place | costs | metrics


SUMMARY = pd.DataFrame(
    [
        row("unpruned", 0.0, 1_000_000, 0.7),
        row("paper", 0.5, 250_000, 0.69),
        row("paper", 0.75, 60_000, 0.6),
        row("l1", 0.5, 250_000, 0.71),
    ]
)


def test_every_method_has_a_line_from_large_to_small():
    figure = fronts(SUMMARY, title="methods")
    assert len(figure.axes) == 6  # two metrics, three costs
    ax = figure.axes[0]
    lines = {tuple(line.get_ydata()): tuple(line.get_xdata()) for line in ax.get_lines()}
    paper = lines[0.6, 0.69]
    assert paper[0] < paper[1]
    assert ax.get_xscale() == "log"


def test_cells_hold_values_with_their_intervals():
    cells = table(SUMMARY)
    assert cells["balanced accuracy"][1] == "0.690 (0.590 to 0.790)"
    assert cells["parameters"][1] == "250,000"
    assert cells["ratio"].tolist() == ["", "50%", "75%", "50%"]
    assert "zero weights" not in cells


def test_the_zeros_of_masks_stand_beside_the_parameters_that_are_still_there():
    masks = row("masks global", 0.5, 1_000_000, 0.7, sparsity=0.4987)
    cells = table(pd.DataFrame([*SUMMARY.to_dict("records"), masks]))
    assert cells["zero weights"].tolist() == ["", "", "", "", "49.9%"]
    assert cells["parameters"].tolist()[-1] == cells["parameters"][0] == "1,000,000"


def test_differences_are_read_in_points_with_their_verdict():
    one = row("l1", 0.5, 250_000, -0.0123) | {"against": "control", "verdict": "inconclusive"}
    other = row("l1", 0.5, 250_000, 0.02) | {"against": "what pruning cost on original"}
    cells = verdicts(pd.DataFrame([one, other]))
    assert cells["balanced accuracy, points"][0] == "-1.2 (-11.2 to +8.8)"
    assert cells["verdict"].tolist() == ["inconclusive", ""]
