"""Bring everything up to date as ``dvc repro`` does, but in one process; for `make demo` and `run`.

Python, Prefect, TensorFlow and MLflow are imported once, not once a stage.
"""

from flows import ledger
from flows.inputs import check_inputs
from flows.runtime import command_line, console
from flows.steps import flow_of


def run(stage: str) -> None:
    """Run a stage as DVC does: the plain function behind the flow, with no Prefect server."""
    console.print(f"\n[bold]{stage}[/]", highlight=False)
    check_inputs(stage)
    step, arguments = flow_of(stage)
    step.fn(*arguments)


if __name__ == "__main__":
    with command_line():
        if not ledger.reproduce(run):
            console.print("nothing was stale")
