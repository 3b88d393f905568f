"""Record and register what was pruned."""

import hashlib
import shutil
import zipfile
from collections.abc import Collection, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import content_key
from slimderm.flows.base.files import read_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import EvaluateSettings, Params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.record.runs import record_folder, record_network, record_recipe
from slimderm.flows.work.model_page import describe_new, version_facts


def register_accepted(params: Params) -> dict[str, Any]:
    """Register every accepted network.

    Runs that the tracking server lacks are recorded first: those of the unpruned networks and those
    of every step.

    Returns
    -------
    dict
        ``model``: the registered model's name; ``accepted``: network, notation, num_parameters,
        bytes (of the `.slim` file of a recipe, else of the `.keras` file), content (a hash) and
        version of each;
        ``challenger``: the one with the fewest parameters, of equals that with the fewest bytes, or
        None; ``endings``: what networks say of which no pruned one is accepted.
    """
    set_unlisted_aside(params.networks, params.slim)
    tracker = Tracker(params.record)
    registry = Registry(tracker)
    accepted = [
        entry
        for network in params.networks
        for entry in _register(network, tracker, registry, params.evaluate)
    ]
    for recipe in params.slim:
        accepted += _register_recipe(recipe, tracker, registry, params.evaluate)
    challenger = min(accepted, key=itemgetter("num_parameters", "bytes"), default=None)
    summaries = [read_json(layout.pruned(name) / "steps.json") for name in params.networks]
    endings = [summary["ending"] for summary in summaries if summary["ending"]]
    return {
        "model": registry.name,
        "accepted": accepted,
        "challenger": challenger,
        "endings": endings,
    }


def set_unlisted_aside(networks: Collection[str], recipes: Collection[str]) -> None:
    """Move the models of networks and recipes that ``params.yaml`` lists no more out of ``models``.

    Stages depend on the whole folder, for DVC takes no list of folders from a parameter. So a clone
    that pulls the networks that are listed would be stale by those that are not.
    """
    unlisted = [
        folder
        for folder in sorted(layout.MODELS.iterdir())
        if folder.name not in networks
        and any(made(folder.name).is_dir() for made in (layout.baseline, layout.pruned))
    ]
    unlisted += [each for each in sorted(layout.SLIM.glob("*")) if each.name not in recipes]
    for folder in unlisted:
        target = layout.UNLISTED / folder.relative_to(layout.MODELS)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder, target)
        console.print(
            f"register: {folder} is in {target} now, because params.yaml does not list it",
            highlight=False,
            soft_wrap=True,
        )


def _register(
    network: str, tracker: Tracker, registry: Registry, settings: EvaluateSettings
) -> list[dict[str, Any]]:
    """Record one network's runs, and register its accepted steps."""
    pruned = layout.pruned(network)
    summary = read_json(pruned / "steps.json")
    parent = record_network(tracker, network, summary["trainer"])
    for folder in sorted(layout.baseline(network).iterdir()):
        record_folder(tracker, parent, folder.name, folder, read_json(folder / "description.json"))
    for other in summary["seeds"]:
        folder = pruned / other["folder"]
        record_folder(tracker, parent, other["notation"], folder, summary["description"])
    accepted = []
    for step in summary["steps"]:
        notation, folder = step["notation"], pruned / step["folder"]
        record_folder(tracker, parent, notation, folder, summary["description"])
        if step["verdict"]["accepted"]:
            accepted.append(_version(registry, step, folder, summary["description"], settings))
    return accepted


def _register_recipe(
    recipe: str, tracker: Tracker, registry: Registry, settings: EvaluateSettings
) -> list[dict[str, Any]]:
    """Record a recipe's runs, and register what its last pass made, if it is accepted."""
    folder = layout.slimmed(recipe)
    summary = read_json(folder / "recipe.json")
    record_recipe(tracker, summary, folder)
    last = summary["passes"][-1]
    if not last["verdict"]["accepted"]:
        return []
    place = folder / last["folder"]
    return [_version(registry, last, place, summary["description"], settings)]


def _version(
    registry: Registry,
    record: Mapping[str, Any],
    folder: Path,
    description: Mapping[str, Any],
    settings: EvaluateSettings,
) -> dict[str, Any]:
    tags = {"network": record["network"], "notation": record["notation"]}
    content = model_content(folder / "model.keras", description)
    facts = tags | version_facts(record, folder, settings)
    version = registry.register(record["key"], facts, content)
    describe_new(registry, version, facts)
    size = {"num_parameters": record["num_parameters"]}
    size["bytes"] = record.get("ledger", {}).get("slim_bytes", record["bytes"])
    return tags | size | {"content": content, "version": version}


def model_content(file: Path, description: Mapping[str, Any]) -> str:
    """Hash a model's weights and what it needs beside them.

    The whole file will not do: Keras writes the time into it.
    """
    with zipfile.ZipFile(file) as archive:
        weights = hashlib.sha256(archive.read("model.weights.h5")).hexdigest()
    return content_key(weights=weights, description=dict(description))
