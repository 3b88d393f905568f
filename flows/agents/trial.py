"""A run with other parameters than ``params.yaml``, in a clone inside this one.

This clone stays as it is. The one inside shares the cache, the data versions and MLflow's record.
So finished work is found by either, and what these parameters do not touch is not made again.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from slimderm.components.common.errors import ParameterError
from slimderm.flows.agents.agent import workplace
from slimderm.flows.agents.coordinator import committed
from slimderm.flows.base.files import write_text
from slimderm.flows.base.sqlite import whole_address
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.config.recipes import merge
from slimderm.flows.config.registry_policy import read_registry
from slimderm.flows.record import data_versions, dvc_lock

TAG = "given."  # begins the name of a tag of MLflow's runs: what the form was given


@contextlib.contextmanager
def trial(recipe: str | None, given: Mapping[str, Any]) -> Iterator[None]:
    """Work with other parameters inside the block, in a clone inside this one.

    Nothing happens where nothing is given. Else accepted networks become versions of a registered
    model of its own, ``<model>-trials``, so no challenger of this clone's is replaced.

    Parameters
    ----------
    recipe : str, optional
        Name of a file of ``recipes``.
    given : mapping
        Sections of ``params.yaml`` with what goes before the recipe.

    Raises
    ------
    ParameterError
        If the values contradict each other, or ``params.yaml``.
    RecordError
        If code differs from the commit.
    """
    if recipe is None and not given:
        yield
        return
    commit, clone, made = committed(), Path.cwd(), dvc_lock.entries()
    document = _changed(recipe, given) | {"record": _record(recipe, given)}
    with workplace(clone, commit, layout.TRIALPLACE) as folder, contextlib.chdir(folder):
        write_text(layout.PARAMS, yaml.safe_dump(document, sort_keys=False))
        _check()
        _share(clone)
        dvc_lock.write(dvc_lock.entries() | made)
        data_versions.check_out()
        yield


def _changed(recipe: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``params.yaml`` with a recipe, and with what was given."""
    document: dict[str, Any] = yaml.safe_load(layout.PARAMS.read_text()) or {}
    if recipe is not None:
        merge(document, yaml.safe_load((layout.RECIPES / f"{recipe}.yaml").read_text()) or {})
    merge(document, given)
    if networks := given.get("networks"):  # what belongs to others would be refused
        slim, train = document.get("slim") or {}, document.get("train") or {}
        document["slim"] = {
            name: each for name, each in slim.items() if each["network"] in networks
        }
        weights = train.get("weights") or {}
        if weights:
            train["weights"] = {name: file for name, file in weights.items() if name in networks}
    return document


def _record(recipe: str | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section ``record``: the same store, by its place on this machine; the tags."""
    values = {"recipe": recipe} if recipe else {}
    for section, value in given.items():
        keys = value if isinstance(value, dict) else {"": value}
        values |= {f"{section}.{key}".rstrip("."): each for key, each in keys.items()}
    said = {
        f"{TAG}{name}": each if isinstance(each, str) else json.dumps(each)
        for name, each in values.items()
    }
    record = read_params().record
    found = asdict(record) | {"tags": {**record.tags, **said}}
    found["tracking_uri"] = whole_address(record.tracking_uri)
    found["artifacts"] = str(Path(record.artifacts).absolute())
    found["model"] = f"{record.model or read_registry().model}-trials"
    return found


def _share(clone: Path) -> None:
    """Let the current folder find the cache, the datasets and the gates of another clone."""
    shutil.copy(clone / layout.REGISTRY_POLICY, layout.REGISTRY_POLICY)
    params = read_params()
    (clone / params.record.cache).mkdir(parents=True, exist_ok=True)
    for place in (params.record.cache, params.ingest.source, params.ingest.negatives):
        if place is None or _is_made(place):
            continue
        if Path(place).is_symlink():  # to where the clone stood before it was moved
            Path(place).unlink()
        if (clone / place).exists() and not Path(place).exists():
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            Path(place).symlink_to(clone / place)


def _is_made(place: str) -> bool:
    """Return whether a place is, or lies in, what the stage synthesize makes."""
    return Path(place).is_relative_to(layout.SOURCE)


def _check() -> None:
    """Refuse values that contradict each other; name no line of a file that nobody wrote."""
    try:
        read_params().check_recipes()
    except ParameterError as error:
        message = re.sub(rf"^{layout.PARAMS}:\d+", "the values of this run", str(error), flags=re.M)
        raise ParameterError(message) from None
