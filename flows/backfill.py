"""Rebuild MLflow's runs, versions and evidence from the stages' outputs, for `make backfill`."""

import os
from pathlib import Path

from components.errors import RecordError
from flows.params import read_params
from flows.register import register
from flows.report import REPORTS
from flows.review import review
from flows.runs import record_report
from flows.runtime import command_line, console


def backfill() -> None:
    """Record what the tracking server lacks; what it has stays as it is.

    Raises
    ------
    RecordError
        If outputs are missing here.
    """
    params = read_params()
    wanted = [Path("models") / network / "pruned" / "steps.json" for network in params.networks]
    missing = [str(path) for path in [*wanted, REPORTS / "tables"] if not path.exists()]
    if missing:
        raise RecordError(
            f"received a clone without {', '.join(missing)}, expected the stages' outputs; "
            "`make pull` fetches them where dvc.lock is here, `make run` makes them"
        )
    register.fn()
    review.fn()
    record_report(params, REPORTS)


if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    with command_line():
        backfill()
    console.print("backfill: every run and version is on record", highlight=False)
