"""Recipes that are applied side by side: in processes of this machine, or on a Dask cluster."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from slimderm.components.common.errors import WorkerError
from slimderm.components.network_compression.settings import SlimSettings
from slimderm.flows.base.side_by_side import WorkerPool
from slimderm.flows.base.terminal import console, progress_bar
from slimderm.flows.config.params import Params, read_params
from slimderm.flows.work.chunks import on_dask
from slimderm.flows.work.slim_files import counted, row
from slimderm.flows.work.slimming import Slimming

Row = dict[str, Any]


def slimming_of(params: Params, settings: SlimSettings, name: str) -> Slimming:
    """Return a recipe; its name is in no key, so the stage slim finds what was trained here."""
    return Slimming(replace(params, slim={name: settings}), name)


def train_recipes(params: Params, recipes: Mapping[str, SlimSettings]) -> dict[str, Row]:
    """Apply recipes side by side where ``record.engine`` says; the cache holds what they make.

    Returns
    -------
    dict
        By the recipe's name what `slimderm.flows.work.slim_files.row` gathers of its last network.
    """
    _train(params, recipes)
    return {name: _row(slimming_of(params, each, name)) for name, each in recipes.items()}


def _row(slimming: Slimming) -> Row:
    *_, last = slimming.networks()
    return row(slimming, last)


def _train(params: Params, recipes: Mapping[str, SlimSettings]) -> None:
    if params.record.engine == "dask":
        here = Path.cwd()
        jobs = [RecipeJob(here, name, asdict(settings)) for name, settings in recipes.items()]
        with progress_bar(f"search: recipes on {params.record.dask_address}", len(jobs)) as update:
            for done, _ in enumerate(on_dask(jobs, str(params.record.dask_address)), start=1):
                update(done, "")
        return
    number = min(params.record.workers, len(recipes))
    with WorkerPool(number) as workers:
        for name, settings in recipes.items():
            workers.submit(name, partial(train_recipe, asdict(settings)))
        while workers.running:
            workers.wait()


@dataclass(frozen=True)
class RecipeJob:
    """A recipe on another machine, which has the same folder at the same path.

    Attributes
    ----------
    folder : path
        The clone, absolute.
    name : str
        Of the recipe.
    settings : dict
        Of `SlimSettings`; JSON-able.
    """

    folder: Path
    name: str
    settings: dict[str, Any]

    def run(self) -> None:
        """Apply it in a process of its own: what draws random numbers is alone there.

        Raises
        ------
        WorkerError
            If it fails; the message holds its last lines.
        """
        script = f"import json, sys; from {__name__} import train_recipe as train"
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", f"{script}; train(*json.load(sys.stdin))"],
            cwd=self.folder,
            input=json.dumps([self.settings, self.name]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
            raise WorkerError(f"{self.name}: ended with {done.returncode}: {last}")


def train_recipe(settings: dict[str, Any], name: str) -> None:
    """Apply a recipe of these settings and count its result, in the current folder."""
    given = SlimSettings(**settings | {"passes": tuple(settings["passes"])})  # JSON has lists
    slimming = slimming_of(read_params(), given, name)
    *_, last = slimming.networks()
    counted(slimming.params, last)
    console.print(f"{name} is done")
