"""Step: judge the challenger against the champion, and see whether the champion may be served."""

import os
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext

from components.errors import IncomparableError, RecordError
from flows.params import Params, read_params
from flows.patience import patiently
from flows.registry import GATES, Registry
from flows.reviewer import Reviewer
from flows.runtime import console, write_json
from flows.steps import run_step
from flows.tracking import Tracker


def review_registry(params: Params) -> dict[str, Any]:
    """Judge what has not been judged: the challenger, and the champion against the one before it.

    Returns
    -------
    dict
        Role to what `judged` returns.
    """
    registry = Registry(Tracker(params.record))
    found: dict[str, Any] = {}
    champion, challenger = registry.aliased("champion"), registry.aliased("challenger")
    reference = None
    if champion is not None:
        found["champion"], reference = judged_champion(params, registry, champion)
    if challenger is not None and (champion is None or challenger.version != champion.version):
        found["challenger"] = judged(params, registry, challenger, reference)
    return found


def judged_champion(
    params: Params, registry: Registry, champion: Any
) -> tuple[dict[str, Any], Any | None]:
    """Judge the champion against the one before it, and only then put its promotion on record.

    A champion on record that cannot be judged on the data of today keeps its verdict.

    Returns
    -------
    found : dict
        As `judged` returns it.
    reference : ModelVersion or None
        What others are measured by: the champion, or the one before where its gates are shut.
    """
    before = registry.before(champion)
    try:
        found = judged(params, registry, champion, before)
    except IncomparableError as error:
        if not registry.is_recorded(champion):  # no verdict of it is about this promotion
            registry.tag(champion, {GATES: "failed", "gates.reason": str(error)})
        tags = registry.version(champion.version).tags
        found = {
            "version": str(champion.version),
            "against": tags.get("gates.against", "nothing"),
            "gates": tags.get(GATES, "failed"),
            "reason": str(error),
        }
        console.print(
            f"review: {error}; version {champion.version} stays {found['gates']}",
            highlight=False,
            soft_wrap=True,
        )
    registry.notice(champion)
    return found, champion if found["gates"] == "passed" else before


def judged(
    params: Params, registry: Registry, version: Any, reference: Any | None
) -> dict[str, Any]:
    """Return what the gates say of a version, judging it where nobody has on these data.

    Returns
    -------
    dict
        ``version``, ``against``, ``gates`` (passed or failed), ``reason``.
    """
    reviewer = Reviewer(params, registry)
    key = reviewer.key(version, reference)
    if version.tags.get("gates.key") != key:
        reviewer.review(version, reference)
        registry.tag(version, {"gates.key": key})
    tags = registry.version(version.version).tags
    found = {
        "version": str(version.version),
        "against": tags["gates.against"],
        "gates": tags[GATES],
        "reason": tags["gates.reason"],
    }
    console.print(
        f"review: version {found['version']} against {found['against']}: {found['reason']}",
        highlight=False,
        soft_wrap=True,
    )
    return found


@flow(name="review", flow_run_name="review")
def review() -> None:
    """Write ``data/review.json``; the evidence goes to the registered versions.

    Raises
    ------
    RecordError
        If the champion's gates failed: somebody promoted what they would have kept out.
    """
    os.environ.setdefault("MPLBACKEND", "agg")
    found = review_registry(read_params())
    write_json("data/review.json", found)
    champion = found.get("champion")
    if champion and champion["gates"] == "failed":
        message = (
            f"the champion, version {champion['version']}, fails its gates: {champion['reason']}; "
            "nothing serves it. `make rollback` goes back to the one before"
        )
        if FlowRunContext.get() is not None:
            patiently(create_markdown_artifact, f"# Gates shut\n\n{message}", key="gates")
        raise RecordError(message)


if __name__ == "__main__":
    run_step(review)
