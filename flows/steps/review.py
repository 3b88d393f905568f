"""Stage review: judge the challenger against the champion, and whether the champion is served."""

from prefect import flow

from slimderm.components.common.errors import RecordError
from slimderm.components.evaluation.gates import INCONCLUSIVE
from slimderm.flows.base.files import write_json
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.work.reviewing import review_registry, write_files


@flow(name="review", flow_run_name="review")
def review() -> None:
    """Write ``data/review.json`` and ``data/edge``; the evidence goes to the registered versions.

    Raises
    ------
    RecordError
        If the champion may not be served: its gates failed, or cannot tell and nobody said why it
        was promoted all the same.
    """
    params = read_params()
    judged = review_registry(params)
    write_files(params, judged, layout.EDGE)
    write_json(layout.REVIEW, judged)
    champion = judged.get("champion")
    if champion and not champion["served"]:
        number, gates = champion["version"], champion["gates"]
        found = "has inconclusive gates" if gates == INCONCLUSIVE else "fails its gates"
        remedy = "`make rollback` restores the previous champion"
        if gates == INCONCLUSIVE:
            remedy += f', `make promote VERSION={number} WHY="..."` keeps this one'
        raise RecordError(
            f"the champion, version {number}, {found}: {champion['reason']}; it is not served. "
            f"{remedy}"
        )
