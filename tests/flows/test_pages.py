"""The how-to pages' commands run as they stand."""

import os
import shutil
import signal
import time

import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def workspace(make_workspace):
    workspace = make_workspace()
    workspace.run("python", "-m", "flows.synthesize")
    (workspace.folder / "own").mkdir()
    shutil.move(workspace.folder / "data/source", workspace.folder / "own/dataset")
    return workspace


def test_own_data_killed_and_run_again(workspace):
    run, study = workspace.commands("own-data.md")
    with workspace.start("bash", "-c", run) as process:
        deadline = time.monotonic() + 300
        while not list((workspace.folder / ".cache").glob("slimderm/??/*/model.keras")):
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    again, status, backfill, doctor = workspace.follow("after-a-crash.md")
    assert "Look at" in again
    assert "Data and pipelines are up to date." in status
    assert "prefect     stopped" in status
    assert "on record" in backfill
    assert "each as its name says" in doctor
    params = (workspace.folder / "params.yaml").read_text()
    assert "source: own/dataset" in params
    catalog = pd.read_csv(workspace.folder / "data/raw/catalog.csv")
    table = pd.read_csv(workspace.folder / "own/dataset/HAM10000_metadata.csv")
    assert set(table["image_id"]) <= set(catalog["image_id"])
    assert "storage: 3 images in" in workspace.run("bash", "-c", study).stdout


def test_every_page_that_shows_commands_is_run_somewhere(workspace):
    tests = "".join(
        path.read_text() for path in workspace.folder.joinpath("tests").rglob("test_*.py")
    )
    for page in (workspace.folder / "docs").glob("*.md"):
        if any(line.startswith(("$ ", "coordinator$ ")) for line in page.read_text().splitlines()):
            assert f'"{page.name}"' in tests
