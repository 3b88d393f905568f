"""The recipes of a search on agents: each is the stage slim, of a clone inside this one."""

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from prefect import flow
from prefect.runtime import flow_run

from slimderm.components.network_compression.settings import SlimSettings
from slimderm.flows.agents.agent import workplace
from slimderm.flows.agents.coordinator import AgentJobs, committed
from slimderm.flows.agents.transfers import pull, push
from slimderm.flows.base.files import write_text
from slimderm.flows.base.terminal import console, progress_bar
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.record import dvc_lock
from slimderm.flows.work.recipe_jobs import Row


def train_on_agents(params: Params, recipes: Mapping[str, SlimSettings]) -> dict[str, Row]:
    """Apply recipes side by side on agents, as `slimderm.flows.work.recipe_jobs.train_recipes`.

    The clone's own files stay as they are: parameters with these recipes, and what agents make of
    them, lie in a clone inside it. A job that was sent before is found again. MLflow keeps its runs
    in an experiment of its own, ``<record.experiment>-search``.

    Raises
    ------
    RecordError
        If code differs from the commit, a stage that recipes read was not made, or one of them
        fails on its agent.
    """
    commit = committed()
    given = yaml.safe_load(layout.PARAMS.read_text())
    given["slim"] = {name: asdict(settings) for name, settings in recipes.items()}
    given["prune"] = (given.get("prune") or {}) | {"max_seeds": 1}  # a search needs no verdict
    experiment = f"{params.record.experiment}-search"
    given["record"] = (given.get("record") or {}) | {"experiment": experiment}
    made = dvc_lock.entries()
    with workplace(Path.cwd(), commit, layout.SEARCHPLACE) as folder, contextlib.chdir(folder):
        write_text(layout.PARAMS, yaml.safe_dump(given, sort_keys=False))
        dvc_lock.write(dvc_lock.entries() | made)
        search_on_agents(list(recipes))
        return {name: _row(name) for name in recipes}


def _search_name() -> str:
    return f"search {len(flow_run.parameters['names'])} recipes"


@flow(name="search", flow_run_name=_search_name)
def search_on_agents(names: list[str]) -> None:
    """Make the stage slim of some recipes on agents.

    Args:
        names: The recipes, of params.yaml.
    """
    stages = [f"slim@{name}" for name in names]
    read = dvc_lock.inputs_of(stages[0])  # those of one network: the same of each recipe
    push(list(read))
    pull(read)
    jobs = AgentJobs()
    for stage in stages:
        if dvc_lock.is_stale(stage):
            jobs.submit(stage)
    done = len(stages) - len(jobs.running)
    with progress_bar("search: recipes on agents", len(stages)) as update:
        update(done, "")
        while jobs.running:
            done += len(jobs.wait())
            update(done, "")


def _row(name: str) -> Row:
    ledger = pd.read_csv(layout.slimmed(name) / layout.RECIPE_LEDGER)
    last: dict[str, Any] = ledger.iloc[-1].to_dict()
    console.print(f"{name} is done")
    return {key: value for key, value in last.items() if key not in ("network", "notation")}
