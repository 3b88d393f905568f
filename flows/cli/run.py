"""Bring everything up to date as ``dvc repro`` does, but in one process; for `make demo` and `run`.

Python, Prefect, TensorFlow and MLflow are imported once, not once a stage.
"""

from slimderm.flows.base.terminal import command_line, console
from slimderm.flows.record import dvc_lock as ledger
from slimderm.flows.steps.table import make


def run(stage: str) -> None:
    """Run a stage as DVC does, after a headline."""
    console.print(f"\n[bold]{stage}[/]", highlight=False)
    make(stage)


if __name__ == "__main__":
    with command_line():
        if not ledger.reproduce(run):
            console.print("nothing was stale")
