"""Who works here: person, machine, command and branch, as runs and moves of aliases name them."""

import getpass
import os
import platform
import subprocess
import sys
from pathlib import Path

HOST = "host"  # tag of a run: the machine that recorded it, or trained it where that is known
BRANCH = "mlflow.source.git.branch"  # MLflow's own
EXPERIMENT = "DVC_EXP_NAME"  # DVC's own, in what `dvc exp run` starts
WORKER = "PREFECT__FLOW_RUN_ID"  # Prefect's own, in what a deployment's worker starts


def person() -> str:
    """Return the name by which MLflow's server knows the user, else this machine's.

    A container's user may have a number only.
    """
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (KeyError, OSError):  # by Python's version
        return str(os.getuid())


def host() -> str:
    """Return this machine's name."""
    return platform.node() or "unknown"


def git(*arguments: str) -> str:
    """Return git's output; empty where it fails, as in a folder that is no clone."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git on this machine
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def branch() -> str:
    """Return the branch that is checked out; empty for a detached HEAD and where no clone is."""
    return git("branch", "--show-current")


def experiment() -> str:
    """Return the name of the `dvc exp run` that runs this; empty where none does."""
    return os.environ.get(EXPERIMENT, "")


def command() -> str:
    """Return the program that was started, and its first argument: ``slimderm demo``.

    Later arguments are left out: they may be paths of somebody's own.
    """
    file = Path(sys.argv[0])  # that of the first process, in those that it spawned, too
    program = file.parent.name if file.name == "__main__.py" else file.name or "python"
    return " ".join([program, *sys.argv[1:2]])


def context_tags() -> dict[str, str]:
    """Return the tags by which MLflow's page names person, machine and command of a run."""
    return {
        "mlflow.user": person(),
        "mlflow.source.name": command(),
        "mlflow.source.type": "JOB" if WORKER in os.environ else "LOCAL",
        HOST: host(),
    }
