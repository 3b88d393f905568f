"""Judging the challenger and the champion, and putting promotions on record."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slimderm.components.common.errors import IncomparableError
from slimderm.flows.base.terminal import console
from slimderm.flows.config.params import Params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.promotions import GATES_TAG
from slimderm.flows.record.registry import Registry
from slimderm.flows.work.challenger import place_what_could_not_move
from slimderm.flows.work.model_page import describe_model
from slimderm.flows.work.reviewer import Reviewer
from slimderm.flows.work.shipped_version import can_be_fetched, fetch, file_sentence, is_shipped


def review_registry(params: Params) -> dict[str, Any]:
    """Judge what has not been judged: the challenger, and the champion against the one before it.

    Returns
    -------
    dict
        Role to what `judged` returns.
    """
    registry = Registry(Tracker(params.record))
    place_what_could_not_move(registry)
    found: dict[str, Any] = {}
    champion, challenger = registry.aliased("champion"), registry.aliased("challenger")
    reference = None
    if champion is not None:
        found["champion"], reference = judged_champion(params, registry, champion)
    if challenger is not None:
        registry.promotions.notice(challenger, "challenger")
    if challenger is not None and (champion is None or challenger.version != champion.version):
        found["challenger"] = judged(params, registry, challenger, reference)
    if found:
        describe_model(registry)
    return found


def judged_champion(
    params: Params, registry: Registry, champion: Any
) -> tuple[dict[str, Any], Any | None]:
    """Judge the champion against the one before it, and only then put its promotion on record.

    A champion on record that cannot be judged on today's data keeps its verdict.

    Returns
    -------
    found : dict
        As `judged` returns it, and ``served``: whether it may be.
    reference : ModelVersion or None
        What others are compared with: the champion, or the one before if it may not be served.
    """
    before = registry.promotions.before(champion)
    try:
        found = judged(params, registry, champion, before)
    except IncomparableError as error:
        if not registry.promotions.is_recorded(champion):  # no verdict is about this promotion
            registry.tag(champion, {GATES_TAG: "failed", "gates.reason": str(error)})
        tags = registry.version(champion.version).tags
        found = {
            "version": str(champion.version),
            "against": tags.get("gates.against", "nothing"),
            "gates": tags.get(GATES_TAG, "failed"),
            "reason": str(error),
        }
        console.print(
            f"review: {error}; version {champion.version} stays {found['gates']}",
            highlight=False,
            soft_wrap=True,
        )
    judged_now = registry.version(champion.version)
    registry.promotions.notice(judged_now)
    served = registry.promotions.may_serve(judged_now)
    found |= {"served": served}
    return found, champion if served else before


def write_files(params: Params, found: Mapping[str, Any], place: Path) -> None:
    """Write the files that judged versions are shipped as, a folder a role, into an emptied folder.

    Parameters
    ----------
    params : Params
    found : mapping
        As `review_registry` returns it.
    place : path
        Also made where there is no file.

    Raises
    ------
    RecordError
        If a file cannot be fetched.
    """
    registry = Registry(Tracker(params.record))
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for role, each in found.items():
        version = registry.version(each["version"])
        if is_shipped(version):
            fetch(registry, version).without_times.write(place / role)


def judged(
    params: Params, registry: Registry, version: Any, reference: Any | None
) -> dict[str, Any]:
    """Return the gates' verdict on a version; judge it if it has none on these data.

    Returns
    -------
    dict
        ``version``, ``against``, ``gates`` (passed, failed or inconclusive), ``reason``, ``file``:
        what it is shipped as, in words.
    """
    reviewer = Reviewer(params, registry)
    key = reviewer.key(version, reference)
    if version.tags.get("gates.key") != key or not can_be_fetched(registry, version):
        reviewer.review(version, reference)
        registry.tag(version, {"gates.key": key})
    tags = registry.version(version.version).tags
    found = {
        "version": str(version.version),
        "against": tags["gates.against"],
        "gates": tags[GATES_TAG],
        "reason": tags["gates.reason"],
        "file": file_sentence(tags),
    }
    console.print(
        f"review: version {found['version']} against {found['against']}: {found['reason']}",
        highlight=False,
        soft_wrap=True,
    )
    return found
