"""Stage review: judge the challenger against the champion, and whether the champion is served."""

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.context import FlowRunContext

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.files import write_json
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.work.reviewing import review_registry


@flow(name="review", flow_run_name="review")
def review() -> None:
    """Write ``data/review.json``; the evidence goes to the registered versions.

    Raises
    ------
    RecordError
        If the champion's gates failed: somebody promoted it all the same.
    """
    found = review_registry(read_params())
    write_json(layout.REVIEW, found)
    champion = found.get("champion")
    if champion and champion["gates"] == "failed":
        message = (
            f"the champion, version {champion['version']}, fails its gates: {champion['reason']}; "
            "it is not served. `make rollback` restores the previous champion"
        )
        if FlowRunContext.get() is not None:
            ask_prefect(create_markdown_artifact, f"# Gates failed\n\n{message}", key="gates")
        raise RecordError(message)
