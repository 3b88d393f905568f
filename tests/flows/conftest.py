"""What tests of flows share: a policy, an empty record, a Dask cluster, the stages."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from slimderm.flows.config import layout
from slimderm.flows.record.mlflow_store import make_database
from slimderm.flows.steps.table import STAGES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def with_policy():
    """Puts this clone's policy into a folder."""

    def put(folder):
        (folder / layout.REGISTRY_POLICY).parent.mkdir()
        shutil.copy(ROOT / layout.REGISTRY_POLICY, folder / layout.REGISTRY_POLICY)

    return put


@pytest.fixture(scope="session")
def empty_record(tmp_path_factory):
    """Puts an MLflow database that holds nothing yet into a folder: making one takes seconds."""
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    make_database(f"sqlite:///{file}", str(file.parent))
    return lambda folder: shutil.copy(file, folder)


class Cluster:
    """A Dask scheduler and two workers of one thread, each a process."""

    def __init__(self, folder):
        self.folder = folder
        # Chunks are pickled by the name of their function, so workers import what we import.
        self.environment = os.environ | {
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests/flows/work'}",
            "HOME": str(folder),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # as the Makefile has them
        }
        self.contact = folder / "scheduler.json"
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", self.contact)
        deadline = time.monotonic() + 60
        while not self.contact.exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        self.workers = [
            self.start("worker", "--scheduler-file", self.contact, "--nthreads", "1", "--no-nanny")
            for _ in range(2)
        ]

    def start(self, *command):
        with (self.folder / "log.txt").open("a") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-W",
                    "ignore",
                    "-m",
                    "dask",
                    *map(str, command),
                    "--no-dashboard",
                ],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )

    def stop(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def start_cluster():
    """Starts a Dask cluster whose files lie in a folder; it must be stopped."""
    return Cluster


ITEMS = {
    "${networks}": ["lenet5"],
    "${studies}": [],
    "${slim}": [],
}  # of the workspace's parameters


@pytest.fixture(scope="session")
def every_stage():
    """The table's stages; one that dvc.yaml repeats stands there once for each item."""
    described = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    found = set()
    for name in STAGES:
        items = described[name].get("foreach")
        found |= {f"{name}@{item}" for item in ITEMS[items]} if items else {name}
    return found
