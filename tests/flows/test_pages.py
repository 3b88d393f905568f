"""The how-to pages' commands run as they stand."""

import os
import shutil
import signal
import subprocess
import time

import pandas as pd
import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def workspace(make_workspace):
    workspace = make_workspace()
    workspace.run("python", "-m", "slimderm.flows.steps", "synthesize")
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
    assert "nothing is stale" in status
    assert "prefect     stopped" in status
    assert "on record" in backfill
    assert "each as its name says" in doctor
    params = (workspace.folder / "params.yaml").read_text()
    assert "source: own/dataset" in params
    catalog = pd.read_csv(workspace.folder / "data/raw/catalog.csv")
    table = pd.read_csv(workspace.folder / "own/dataset/HAM10000_metadata.csv")
    assert set(table["image_id"]) <= set(catalog["image_id"])
    assert "storage: 3 images by" in workspace.run("bash", "-c", study).stdout
    (judged,) = workspace.follow("evaluate.md")
    assert "images were left out, because the version has seen them" in judged
    (page,) = (workspace.folder / "reports/evaluations").glob("dataset-version-1/index.html")
    assert "balanced accuracy" in page.read_text()


@pytest.fixture
def cluster(workspace, free_port):
    """What the page on several machines starts, on loopback; gives the scheduler's address."""
    commands = [
        workspace.commands("several-machines.md", "head$")[0],
        workspace.commands("several-machines.md", "others$")[0],
    ]
    here = {
        "10.0.0.5": "127.0.0.2", "10.0.0.6": "127.0.0.3", "8786": (port := free_port()),
        ":8787": ":0", "--nworkers 8": "--nworkers 2",
    }  # fmt: skip
    for there, changed in here.items():
        assert any(there in command for command in commands)
        commands = [command.replace(there, changed) for command in commands]
    started = [workspace.start("bash", "-c", each, stdout=subprocess.DEVNULL) for each in commands]
    yield f"tcp://127.0.0.2:{port}", started
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


ASK = """
import sys
from distributed import Client

client = Client(sys.argv[1], timeout=60)
client.wait_for_workers(2, timeout=60)
print(client.submit(sum, [1, 2]).result())
"""


def test_a_cluster_works_and_listens_on_the_private_network_alone(workspace, cluster):
    address, started = cluster
    assert workspace.run("python", "-W", "ignore", "-c", ASK, address).stdout == "3\n"
    listening = set()
    for number, process in enumerate(map(psutil.Process, (each.pid for each in started))):
        for each in (process, *process.children(recursive=True)):
            for connection in each.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    listening.add((number, connection.laddr.ip))
    assert listening == {(0, "127.0.0.2"), (1, "127.0.0.3")}
