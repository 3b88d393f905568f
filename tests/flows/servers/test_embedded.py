"""Without a server named, a flow finds one inside its own process."""

import re
import sqlite3
import sys

import pytest

pytestmark = pytest.mark.integration

FLOW = """\
import threading
import psutil
from prefect import flow, task
from slimderm.flows.servers.embedded import embedded_server
from slimderm.flows.base.terminal import command_line

def servers():
    return [thread.name for thread in threading.enumerate() if thread.name == "prefect-server"]

@task
def counted():
    print("children:", len(psutil.Process().children()))

@flow
def counting():
    print("during:", servers())
    found = psutil.Process().net_connections("tcp")
    print("listening at:", *{each.laddr.ip for each in found if each.status == "LISTEN"})
    counted()

with command_line(), embedded_server():
    counting()
print("afterwards:", servers())
"""


@pytest.fixture
def workspace(make_workspace):
    return make_workspace()


@pytest.fixture
def run(workspace):
    return lambda **more: workspace.run(sys.executable, "-c", FLOW, check=False, **more)


def test_it_is_a_thread_and_keeps_the_run_in_the_clone(run, workspace, tmp_path):
    done = run(PREFECT_HOME=str(tmp_path))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "during: ['prefect-server']\nlistening at: 127.0.0.1\nchildren: 0\n" in done.stdout
    assert "afterwards: []" in done.stdout
    assert "View at" not in said  # nothing would be there
    assert not re.search("error|warning|traceback", said, re.IGNORECASE)
    assert not (tmp_path / "prefect.db").exists()  # which other clones would share
    with sqlite3.connect(workspace.folder / "prefect.db") as database:
        kept = database.execute(
            "select flow.name, flow_run.state_type from flow_run join flow on flow.id = flow_id"
        )
        assert kept.fetchall() == [("counting", "COMPLETED")]
        tasks = database.execute("select state_type from task_run")
        assert tasks.fetchall() == [("COMPLETED",)]
        assert database.execute("select count(*) from log").fetchone()[0] >= 3


def test_one_that_cannot_start_says_why(run, tmp_path):
    (tmp_path / "file").touch()
    database = f"sqlite+aiosqlite:///{tmp_path}/file/prefect.db"
    done = run(PREFECT_HOME=str(tmp_path), PREFECT_SERVER_DATABASE_CONNECTION_URL=database)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "unable to open database file" in said
    assert "PREFECT_API_URL can name one that runs" in said
    assert "Traceback" not in said


def test_where_a_server_is_named_none_is_started(run):
    done = run(PREFECT_API_URL="http://127.0.0.1:9/api", PREFECT_CLIENT_MAX_RETRIES="0")
    assert done.returncode == 1
    assert "prefect-server" not in done.stdout
    assert "Failed to reach API at http://127.0.0.1:9/api/" in done.stdout
