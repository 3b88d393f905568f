"""What the pages name is there: files, folders and make's targets."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += sorted((ROOT / "docs/results").glob("*.md"))
FOLDERS = "components|flows|slimderm|tests|benchmarks|docs|infra|kiosk|mlflow|recipes"
MADE = {"infra/.env"}  # by whoever follows the page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_is_there(page):
    named = set(re.findall(rf"`((?:{FOLDERS})/[\w./-]+)`", page.read_text())) - MADE
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_that_a_page_names_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", page.read_text())) <= targets
