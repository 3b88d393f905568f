"""The registry's policy in a folder that holds nothing else of a clone."""

import shutil
from pathlib import Path

import pytest

from slimderm.flows.config import layout
from slimderm.flows.record.mlflow_store import make_database

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
