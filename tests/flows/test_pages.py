"""The how-to pages' commands run as they stand."""

import ast
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]

TESTS = Path(__file__).parents[1]


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


PAGES = sorted((TESTS.parent / "docs").glob("*.md"))

ONLY_SHOWN = {
    ("s3.md", "$", 0): "exports the address of a store that is yours",
    ("several-machines.md", "head$", 1): "is run as second-machine.md shows it",
    ("several-machines.md", "head$", 2): "is run as own-data.md shows it, chunks by test_chunks",
    **{("second-machine.md", "host$", place): "no Docker engine is here" for place in range(4)},
}
NAMED = {
    "setup": "every other target does it; with CUDA it takes an NVIDIA GPU and gigabytes",
    "check": "runs in CI, before the tests",
    "soak": "is tests/faults with fifty kills instead of three",
}


def shown():
    """Every command that a page shows: page, prompt, how many of that prompt come before it."""
    for page in PAGES:
        before = Counter()
        for line in page.read_text().splitlines():
            if found := re.match(r"(\w*\$) ", line):
                yield page.name, found[1], before[found[1]]
                before[found[1]] += 1


def filled(given, *defaults):
    """A call's arguments: a page, and what is given of the others."""
    return [*map(ast.literal_eval, given), *defaults[len(given) - 1 :]]


def followed(commands):
    """Those that tests run: by `follow`, by their place among `commands`, or each by a name."""
    total = Counter((page, prompt) for page, prompt, _ in commands)
    nodes = (
        node for path in TESTS.rglob("test_*.py") for node in ast.walk(ast.parse(path.read_text()))
    )
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(attr="follow"), args=[ast.Constant(), *_] as given):
                page, prompt, start, stop = filled(given, "$", 0, None)
                places = range(total[page, prompt])[start:stop]
            case ast.Subscript(
                value=ast.Call(func=ast.Attribute(attr="commands"), args=given),
                slice=ast.Constant(value=place),
            ):
                page, prompt = filled(given, "$")
                places = [place]
            case ast.Assign(
                targets=[ast.Tuple(elts=names)],
                value=ast.Call(func=ast.Attribute(attr="commands"), args=given),
            ):
                page, prompt = filled(given, "$")
                places = range(len(names))
            case _:
                continue
        yield from ((page, prompt, place) for place in places)


def test_every_command_that_a_page_shows_is_run_somewhere():
    commands = set(shown())
    assert {page for page, *_ in commands} >= {"own-data.md", "s3.md", "promotion.md"}
    assert commands - set(followed(commands)) == set(ONLY_SHOWN)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_what_stands_in_a_block_has_a_prompt_or_is_no_command(page):
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), flags=re.S | re.M)
    assert 2 * len(blocks) == page.read_text().count("```")
    for language, block in blocks:
        if language not in ("python", "yaml", "text"):  # tests/test_docs.py runs the Python
            assert all(re.match(r"\w*\$ \S", line) for line in block.splitlines()), block


def test_every_target_that_a_page_names_is_run_or_its_program_is(workspace):
    named, at_prompts = set(), set()
    for page in PAGES:
        text = page.read_text()
        at_prompts |= set(re.findall(r"^\w*\$ .*?\bmake ([\w-]+)", text, flags=re.M))
        named |= set(re.findall(r"`(?:\w+=\S+ )*make\s+([\w-]+)", text))
    assert named >= {"serve", "flow", "demo", *NAMED}
    tests = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    for target in named - at_prompts - set(NAMED):
        recipe = workspace.run("make", "--dry-run", target).stdout
        commands = re.findall(r"^python -m slimderm (\S+)", recipe, flags=re.M)
        assert commands, target
        assert [name for name in commands if f'"slimderm", "{name}"' not in tests] == [], target


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_address_in_a_page_holds_a_password(page):
    assert not re.search(r"://[^\s/@]+:[^\s/@]+@", page.read_text())
