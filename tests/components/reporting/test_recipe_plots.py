"""Pictures of recipes."""

import pandas as pd

from slimderm.components.reporting.recipe_plots import recipe_paths


def row(network, notation, size, value):
    return {
        "network": network,
        "notation": notation,
        "slim_bytes": size,
        "worth": value,
        "low": value - 0.1,
        "high": value + 0.2,
    }


LEDGER = pd.DataFrame(
    [
        row("lenet5", "deep: start", 1000, 0.7),
        row("lenet5", "deep: sparsify", 300, 0.69),
        row("lenet5", "deep: share", 100, 0.6),
        row("lenet5", "grid: start", 1000, 0.7),
        row("lenet5", "grid: quantise", 500, 0.71),
        row("alexnet", "whole: start", 9000, 0.8),
        row("alexnet", "whole: prune", 90, 0.75),
    ]
)


def test_every_recipe_is_a_line_from_its_start_to_its_last_network():
    figure = recipe_paths(LEDGER, "worth", "worth of it")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["lenet5", "alexnet"]
    drawn = {tuple(zip(*line.get_data(), strict=True)) for line in figure.axes[0].get_lines()}
    assert ((1000, 0.7), (300, 0.69), (100, 0.6)) in drawn
    assert ((1000, 0.7), (500, 0.71)) in drawn
    assert ((1000, 0.7),) in drawn  # the start once, though both have it
    named = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert sorted(named) == ["deep", "grid", "start"]


def test_only_last_networks_have_intervals():
    ax = recipe_paths(LEDGER, "worth", "worth of it").axes[1]
    [(bar,)] = [container.lines[2] for container in ax.containers]
    [segment] = bar.get_segments()
    assert segment[:, 0].tolist() == [90, 90]
    assert segment[:, 1].tolist() == [0.65, 0.95]
