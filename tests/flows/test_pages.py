"""The how-to pages' commands run as they stand."""

import ast
import os
import re
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]

TESTS = Path(__file__).parents[1]


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


def shown():
    """Every command that a page shows: page, prompt, how many of that prompt come before it."""
    for page in (TESTS.parent / "docs").glob("*.md"):
        before = Counter()
        for line in page.read_text().splitlines():
            if found := re.match(r"(\$|coordinator\$|agent\$) ", line):
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
    only_shown = {("s3.md", "$", 0)}  # exports the address of a store that is yours
    assert commands - set(followed(commands)) == only_shown
