"""What the pages name is there: files, folders and make's targets."""

import re
from pathlib import Path

import pytest
import typer

from slimderm.flows.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs/results").glob("*.md"))
FOLDERS = "components|flows|slimderm|tests|benchmarks|docs|infra|kiosk|mlflow|recipes"
MADE = {  # by whoever follows the page
    "infra/.env", "infra/secrets", "infra/secrets/SERVE_TOKEN", "infra/certificates"
}  # fmt: skip


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_is_there(page):
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text())) - MADE
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_that_a_page_names_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_the_program_that_a_page_names_is_there(page):
    commands = typer.main.get_command(app).commands
    named = re.findall(r"(?:`|-m |^\w*\$ )slimderm ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert set(named) <= set(commands)


def test_each_of_the_ten_questions_is_answered_by_a_command_or_a_page():
    questions = re.split(r"^\*\*\d+\. ", (ROOT / "docs/questions.md").read_text(), flags=re.M)[1:]
    assert len(questions) == 10
    for question in questions:
        assert re.search(r"`(make [a-z-]+|python -m slimderm [a-z-]+)", question), question
