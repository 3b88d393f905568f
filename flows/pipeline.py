"""The whole pipeline as one Prefect flow: every stale stage of ``dvc.yaml``, in order, recorded."""

import sys

from prefect import flow

from flows import ledger
from flows.choose import choose
from flows.compress import compress
from flows.growth import growth
from flows.ingest import ingest_dataset
from flows.prune import prune
from flows.register import register
from flows.report import report
from flows.resize import resize_study
from flows.split import split_lesions
from flows.storage import storage
from flows.study import study
from flows.sweep import sweep_ranks
from flows.synthesize import synthesize
from flows.train import train

STEPS = {
    "synthesize": synthesize,
    "ingest": ingest_dataset,
    "split": split_lesions,
    "resize": resize_study,
    "sweep": sweep_ranks,
    "storage": storage,
    "choose": choose,
    "compress": compress,
    "train": train,
    "prune": prune,
    "study": study,
    "growth": growth,
    "register": register,
    "report": report,
}


@flow(name="pipeline")
def pipeline() -> list[str]:
    """Run what ``dvc status`` calls stale, and record it as ``dvc repro`` would have.

    Returns
    -------
    list of str
        The stages that ran, e.g. ``["ingest", "train@lenet5"]``; empty when all was fresh.
    """
    ran = []
    for stage in ledger.stages():
        if ledger.is_stale(stage):
            name, *arguments = stage.split("@")
            STEPS[name](*arguments)
            ledger.commit(stage)
            ran.append(stage)
    return ran


def main() -> int:
    """Run the flow; print what ran."""
    ran = pipeline()
    sys.stdout.write(f"pipeline: {', '.join(ran) or 'nothing was stale'}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
