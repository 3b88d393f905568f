"""Make a version of the registered model the champion, or go back to the one before."""

from typing import Any

from slimderm.components.common.errors import RecordError
from slimderm.components.evaluation.gates import INCONCLUSIVE, PASSED
from slimderm.flows.config.params import Params, read_params
from slimderm.flows.record.alias_moves import UNSEEN
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.work.model_page import describe_model
from slimderm.flows.work.reviewing import judged, judged_champion

WHY = "a person's decision"


def promote(version: str = "", why: str = "") -> Any:
    """Make a version the champion if its gates passed; by default the challenger.

    Gates that cannot tell need a reason of yours: nobody has shown that the version is worse, and
    nobody that it is not.

    Parameters
    ----------
    version : str
        Its number.
    why : str
        Kept with who and when, unless this promotion is on record already. Required where the
        gates are inconclusive.

    Returns
    -------
    ModelVersion
        The champion.

    Raises
    ------
    RecordError
        If a gate failed, the gates are inconclusive and no reason is given, there is no such
        version, or aliases do not move from here.
    """
    params = read_params()
    registry = _registry(params)
    chosen = registry.version(version) if version else registry.expected("challenger")
    champion = registry.aliased("champion")
    if champion is None or champion.version == chosen.version:
        reference = registry.promotions.before(chosen)
    else:
        _, reference = judged_champion(params, registry, champion)
    found = judged(params, registry, chosen, reference)
    if found["gates"] == INCONCLUSIVE and not why.strip():
        raise RecordError(
            f"version {chosen.version} was not promoted: {found['reason']}. Its gates neither "
            'passed nor failed; `make promote WHY="..."` promotes it all the same and keeps your '
            "reason, or judge it on more images"
        )
    if found["gates"] not in (PASSED, INCONCLUSIVE):
        raise RecordError(
            f"version {chosen.version} was not promoted: {found['reason']}. MLflow's page shows "
            "the evidence. An alias set there is a promotion, too, but a champion is not served "
            "until its gates pass"
        )
    if (
        champion is None
        or champion.version != chosen.version
        or not registry.promotions.is_recorded(chosen)
        or not registry.promotions.may_serve(registry.version(chosen.version))
        # A review noticed it: now somebody says why.
        or registry.promotions.all()[-1]["by"] == UNSEEN
    ):
        registry.promotions.promote(registry.version(chosen.version), why or WHY)
    describe_model(registry)
    return chosen


def _registry(params: Params) -> Registry:
    """Open the registry, if its aliases may move from here: judging takes minutes."""
    registry = Registry(Tracker(params.record))
    if reason := registry.promotions.why_stays():
        raise RecordError(
            f"no version was promoted: {reason}; give the command there, or set the alias "
            f"{registry.aliases['champion']} in MLflow's page and run `make review` there"
        )
    return registry


def rollback(why: str = "") -> Any:
    """Make the champion before this one the champion again.

    Raises
    ------
    RecordError
        If there was none, or aliases do not move from here.
    """
    registry = _registry(read_params())
    champion = registry.aliased("champion")
    before = registry.promotions.before(champion) if champion else None
    if champion is None or before is None:
        raise RecordError(
            "no champion before this one passed its gates, so there is none to go back to; "
            "`make promote VERSION=n` makes another version the champion"
        )
    registry.promotions.notice(champion)
    registry.promotions.promote(before, why or f"back from version {champion.version}")
    describe_model(registry)
    return before
