"""Bring everything up to date as ``dvc repro`` does, but in one process; for `make demo` and `run`.

Python, Prefect, TensorFlow and MLflow are imported once, not once a stage.
"""

from flows import ledger
from flows.runtime import command_line, console
from flows.steps import flow_of, make


def run(stage: str) -> None:
    """Run a stage as DVC does, after a headline."""
    console.print(f"\n[bold]{stage}[/]", highlight=False)
    step, arguments = flow_of(stage)
    make(step, *arguments)


if __name__ == "__main__":
    with command_line():
        if not ledger.reproduce(run):
            console.print("nothing was stale")
