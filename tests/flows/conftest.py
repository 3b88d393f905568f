"""The registry's policy in a folder that holds nothing else of a clone."""

import shutil
from pathlib import Path

import pytest

from slimderm.flows.config import layout

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def with_policy():
    """Puts this clone's policy into a folder."""

    def put(folder):
        (folder / layout.REGISTRY_POLICY).parent.mkdir()
        shutil.copy(ROOT / layout.REGISTRY_POLICY, folder / layout.REGISTRY_POLICY)

    return put
