"""Pictures of pruning: accuracy against parameters, parameters against iteration."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, PercentFormatter

from slimderm.components.reporting.point_labels import label_points
from slimderm.components.reporting.style import COLOURS, number_logarithmic, tidy_axes


def pruning_path(table: pd.DataFrame, metric: str, label: str) -> Figure:
    """Draw a metric against parameters along each network's pruning path.

    Parameters
    ----------
    table : DataFrame
        As `slimderm.components.reporting.tables.pruning_table` gives it.
    metric : str
        Column on the vertical axis, a share.
    label : str
        Its name for a person.

    Returns
    -------
    Figure
        Filled marks are accepted steps, open ones refused, grey ones inconclusive; one panel a
        network. The unpruned network and the smallest accepted one are named.
    """
    networks = list(dict.fromkeys(table["network"]))
    figure = Figure(figsize=(3.6 * len(networks), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(networks), sharey=True))
    for ax, colour, network in zip(panels, COLOURS, networks, strict=False):
        steps = table[table["network"] == network]
        tidy_axes(ax, title=network, x="parameters")
        of = steps.set_index("notation")
        for _, step in steps.dropna(subset="parent").iterrows():
            ends = of.loc[[step["parent"], step["notation"]]]
            ax.plot(ends["num_parameters"], ends[metric], color=colour, linewidth=0.8, alpha=0.5)
        unknown = steps["verdict"] == "inconclusive"
        for name, face, among in (
            ("accepted", colour, steps["accepted"]),
            ("refused", "white", ~steps["accepted"] & ~unknown),
            ("inconclusive", "lightgrey", unknown),
        ):
            chosen = steps[among]
            ax.scatter(
                chosen["num_parameters"],
                chosen[metric],
                s=28,
                c=face,
                edgecolors=colour,
                label=name,
            )
        ax.set_xscale("log")
        ax.margins(x=0.2, y=0.15)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        number_logarithmic(ax.xaxis, EngFormatter(sep=""))
    panels[0].set_ylabel(label, fontsize=9)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3, fontsize=8, frameon=False)
    for ax, network in zip(panels, networks, strict=True):
        named = _named(table[table["network"] == network])
        places = named[["num_parameters", metric]].to_numpy(float)
        label_points(ax, places, [name.replace(": ", "\n") for name in named["notation"]])
    return figure


def _named(steps: pd.DataFrame) -> pd.DataFrame:
    """Of one network's steps, those that the picture names."""
    smallest = steps[steps["accepted"]].nsmallest(1, "num_parameters")
    return pd.concat([steps.head(1), smallest]).drop_duplicates("notation")


def growth(paths: pd.DataFrame, fits: pd.DataFrame, factors: Sequence[float]) -> Figure:
    """Draw the paper's figure 2: parameters against iteration for each factor and layer scope.

    Parameters
    ----------
    paths : DataFrame
        Columns network, scope (which convolutions shrink), factor (percent), iteration,
        num_parameters.
    fits : DataFrame
        Columns network, scope, factor, model, r2.
    factors : sequence of float
        The factors to draw, in percent, one colour each.

    Returns
    -------
    Figure
        A row a network, a column a scope. Each panel gives R² of each law at the first factor.
    """
    networks, scopes = list(dict.fromkeys(paths["network"])), list(dict.fromkeys(paths["scope"]))
    size = (3.1 * len(scopes), 2.5 * len(networks))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(networks), len(scopes), squeeze=False, sharex=True)
    for row, network in enumerate(networks):
        for column, scope in enumerate(scopes):
            chosen = (paths["network"] == network) & (paths["scope"] == scope)
            ax = tidy_axes(panels[row, column], title=f"{network}, {scope}")
            for colour, factor in zip(COLOURS, factors, strict=False):
                path = paths[chosen & (paths["factor"] == factor)]
                millions = path["num_parameters"] / 1e6
                ax.plot(path["iteration"], millions, "o-", ms=3, c=colour, label=f"{factor:g} %")
            low, high = ax.get_ylim()
            ax.set_ylim(low, high + 0.4 * (high - low))  # room for the laws
            here = (fits["network"] == network) & (fits["scope"] == scope)
            laws = fits[here & (fits["factor"] == factors[0])]
            said = [f"{law['model']} R² {law['r2']:.3f}" for _, law in laws.iterrows()]
            ax.text(
                0.97,
                0.95,
                "\n".join([f"at {factors[0]:g} %:", *said]),
                transform=ax.transAxes,
                fontsize=7,
                ha="right",
                va="top",
            )
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=4, fontsize=8, frameon=False)
    figure.supxlabel("pruning iteration", fontsize=9)
    figure.supylabel("parameters, millions", fontsize=9)
    return figure
