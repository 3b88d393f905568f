"""The registry's policy in a folder that holds nothing else of a clone."""

import shutil
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
