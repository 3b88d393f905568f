"""A search for recipes: many for a few epochs, the better half for twice as many, and so on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from ruamel.yaml import YAML

from slimderm.components.common.cache import replacing
from slimderm.components.network_compression.search import (
    Passes,
    candidates,
    described,
    ranks,
    survivors,
)
from slimderm.components.network_compression.settings import SlimSettings
from slimderm.components.reporting.recipe_plots import pareto_front
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import Params
from slimderm.flows.work.recipe_jobs import Row, train_recipes
from slimderm.flows.work.slim_files import METRIC

Train = Callable[[Params, Mapping[str, SlimSettings]], Mapping[str, Row]]
ACCURACY = f"validation_{METRIC}"


@dataclass(frozen=True)
class Search:
    """What is searched.

    Attributes
    ----------
    network : str
        One of ``networks``.
    recipes : int
        Tried at first.
    rungs : int
        Times that recipes are trained, each time half as many for twice as long.
    epochs : int
        Of each training in the last rung.
    start : str
        As in the section slim.
    seed : int
        Of the draws.
    """

    network: str
    recipes: int
    rungs: int
    epochs: int
    start: str
    seed: int

    def epochs_of(self, rung: int) -> int:
        """Return the epochs of each training in a rung, from 0."""
        return max(1, self.epochs >> (self.rungs - 1 - rung))


def search_recipes(params: Params, search: Search, train: Train = train_recipes) -> pd.DataFrame:
    """Try recipes; finished ones are found again after an interruption.

    Parameters
    ----------
    params : Params
        All parameters.
    search : Search
        What is searched.
    train : callable
        Applies recipes of these names side by side; as `train_recipes`.

    Returns
    -------
    DataFrame
        A row a recipe: ``notation``, its ``passes`` as JSON, the last ``rung`` it came to and the
        ``epochs`` there, what `slimderm.flows.work.slim_files.row` gathers, and ``front``: whether
        no other recipe of the last rung has fewer bytes and operations and is as accurate.
    """
    tried = candidates(search.recipes, search.seed)
    found: dict[int, Row] = {}
    alive = list(range(len(tried)))
    for rung in range(search.rungs):
        if rung:
            costs = _costs([found[number] for number in alive])
            alive = [alive[place] for place in survivors(costs, max(1, len(alive) // 2))]
        epochs = search.epochs_of(rung)
        names = {
            f"recipe{number + 1}": _settings(search, tried[number], epochs) for number in alive
        }
        rows = train(params, names)
        for number, (name, each) in zip(alive, names.items(), strict=True):
            told = {"notation": described(tried[number]), "rung": rung, "epochs": epochs}
            told["passes"] = json.dumps(each.passes)
            found[number] = told | rows[name]
        sentence = f"search: {len(alive)} recipes with {epochs} epochs for each training"
        console.print(sentence, highlight=False)
    table = pd.DataFrame(found.values())
    last_rung = table["rung"] == search.rungs - 1
    table["front"] = False
    table.loc[last_rung, "front"] = ranks(_costs(table[last_rung].to_dict("records"))) == 0
    return table.sort_values(["front", "slim_bytes"], ascending=[False, True], ignore_index=True)


def recipes_of(table: pd.DataFrame, search: Search) -> dict[str, Any]:
    """Write the recipes on the front as the section slim of ``params.yaml``."""
    front = table[table["front"]]
    return {
        f"found{number}": {
            "network": search.network,
            "start": search.start,
            "passes": json.loads(passes),
        }
        for number, passes in enumerate(front["passes"], start=1)
    }


def write_search(folder: Path, table: pd.DataFrame, search: Search) -> None:
    """Write ``recipes.csv``, ``front.png``, and the front as ``recipes.yaml``."""
    with replacing(folder) as draft:
        table.to_csv(draft / "recipes.csv", index=False)
        picture = pareto_front(table, ACCURACY, "balanced accuracy on validation")
        picture.savefig(draft / "front.png", dpi=110)
        with (draft / "recipes.yaml").open("w") as stream:
            YAML(typ="safe").dump({"slim": recipes_of(table, search)}, stream)


def _settings(search: Search, passes: Passes, epochs: int) -> SlimSettings:
    trained = tuple({**given, "epochs": epochs} for given in passes)
    return SlimSettings(network=search.network, passes=trained, start=search.start)


def _costs(rows: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.float64]:
    """Return bytes, operations and what is missing of the accuracy; latency is too noisy here."""
    return np.array(
        [[row["slim_bytes"], row["multiply_accumulates"], 1 - row[ACCURACY]] for row in rows],
        np.float64,
    )
