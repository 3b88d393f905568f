"""The alias challenger: that of the smallest accepted network, where this process may move it."""

from collections.abc import Mapping
from typing import Any

from slimderm.flows.base.files import read_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.record.alias_moves import UNSEEN
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.work.model_page import describe_model

WHY = "the smallest accepted network"


def place_challenger(params: Params, challenger: Mapping[str, Any]) -> str:
    """Give the alias to a version that was registered just now, if it may move from here.

    Parameters
    ----------
    params : Params
        The section record names the store.
    challenger : mapping
        As `slimderm.flows.work.registering.register_accepted` returns it.

    Returns
    -------
    str
        A line that says who is the challenger, and where the alias stays, why, and what to do.
    """
    registry = Registry(Tracker(params.record))
    version = registry.version(challenger["version"])
    what = f"({challenger['network']} {challenger['notation']})"
    present = registry.aliased("challenger")
    if present is not None and present.version == version.version:
        return f"{registry.name} version {version.version} is the challenger {what}"
    if reason := registry.promotions.why_stays():
        where = f"stays at version {present.version}" if present else "is not set"
        return (
            f"{registry.name} version {version.version} is registered {what}; the alias "
            f"{registry.aliases['challenger']} {where}: {reason}. Merge and run `make review` "
            "there, or set it in MLflow's page"
        )
    registry.promotions.move("challenger", version, f"{WHY} {what}")
    describe_model(registry)
    return f"{registry.name} version {version.version} is the challenger {what}"


def place_what_could_not_move(registry: Registry) -> None:
    """Give the alias to the version that this clone's record names, if no step ever did.

    So what was registered on a branch becomes the challenger once the branch is merged, although
    nothing is stale. A version that had its turn is left alone: a person may have chosen another.
    """
    if not layout.REGISTERED.exists() or registry.promotions.why_stays():
        return
    challenger = read_json(layout.REGISTERED)["challenger"] or {}
    version = registry.of_content(challenger.get("content", ""))  # numbers are another store's
    if version is None:
        return
    known = registry.promotions.moves.of("challenger")
    placed = {each["version"] for each in known if each["by"] != UNSEEN}
    present = registry.aliased("challenger")
    if str(version.version) in placed or (present and present.version == version.version):
        return
    what = f"({challenger['network']} {challenger['notation']})"
    registry.promotions.move("challenger", version, f"{WHY} {what}, registered on a branch")
    console.print(f"review: version {version.version} is the challenger {what}", highlight=False)
