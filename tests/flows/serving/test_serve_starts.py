"""The command that serves, started again: with what it kept, refused, without its store."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def serve(shipped):
    """Starts the service in the folder of the store; returns its process and its address."""
    *_, address = shipped
    for name in ("params.yaml", "dvc.yaml"):  # by which the command knows a clone
        shutil.copy(ROOT / name, name)
    started = []

    def start(port=None):
        port = port or free_port()
        more = {"MLFLOW_TRACKING_URI": address, "SERVE_PORT": str(port)}
        command = [sys.executable, "-W", "ignore", "-m", "slimderm", "serve"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = subprocess.Popen(command, env=os.environ | more, **pipes)
        started.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield start
    for process in started:
        process.kill()
        if not process.stdout.closed:
            process.communicate()


def ready(process, place, said):
    """Wait until the service is ready and its fault is as asked; return what it says."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()[0]
        with contextlib.suppress(httpx.HTTPError):
            found = httpx.get(f"{place}/ready").json()
            if said(found["fault"]):
                return found
        time.sleep(0.1)
    raise AssertionError("the service was not ready in time")


def stopped(process):
    """End a service as Ctrl-C does; return what it printed."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=SECONDS)[0]


@pytest.fixture
def kept(serve):
    """Serve once, so that the version is kept."""
    process, place = serve()
    ready(process, place, lambda fault: not fault)
    stopped(process)


def test_the_next_start_has_the_kept_version_and_asks_the_registry(serve, kept):
    process, place = serve()
    assert ready(process, place, lambda fault: not fault)["version"] == "1"
    other, _ = serve(int(place.rpartition(":")[2]))
    said = other.communicate(timeout=SECONDS)[0]
    assert other.returncode
    assert "in use" in said
    assert "serve:" not in said
    said = stopped(process)
    assert "this version was served last" in said
    assert "Traceback" not in said


def test_a_refused_version_ends_it_and_is_not_tried_again(serve, kept, shipped):
    registry, *_ = shipped
    registry.tag(registry.version("1"), {"gates": "failed"})
    try:
        for again in (False, True):
            process, _ = serve()
            said = process.communicate(timeout=SECONDS)[0]
            assert process.returncode == 1
            assert "is the champion but is not served" in said
            assert "Traceback" not in said
            assert ("serve:" in said) is not again
    finally:
        registry.tag(registry.version("1"), {"gates": "passed"})


def test_a_store_that_is_not_there_leaves_the_kept_version(serve, kept, shipped):
    *_, address = shipped
    database = Path(address.removeprefix("sqlite:///"))
    aside = database.rename(database.with_suffix(".aside"))
    try:
        process, place = serve()
        found = ready(process, place, lambda fault: fault and "not been asked" not in fault)
        assert "no version with the alias champion" in found["fault"]
        assert httpx.get(f"{place}/model").json()["version"] == "1"
        stopped(process)
    finally:
        aside.rename(database)
