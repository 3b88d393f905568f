"""Every command that a page shows is run by a test, or the reason why not stands here."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))

ONLY_SHOWN = {
    ("s3.md", "$", 0): "exports the address of a store that is yours",
    ("several-machines.md", "head$", 1): "is run as second-machine.md shows it",
    ("several-machines.md", "head$", 2): "is run as own-data.md shows it, chunks by test_chunks",
    **{("compare-runs.md", "$", place): "trains as long as a run" for place in (4, 5, 6)},
    **{("second-machine.md", "host$", place): "no Docker engine is here" for place in range(5)},
    **{("operations.md", "host$", place): "no Docker engine is here" for place in range(16)},
    **{("kubernetes.md", "host$", place): "no cluster is here" for place in range(8)},
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
        node
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
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


def test_every_target_that_a_page_names_is_run_or_its_program_is():
    named, at_prompts = set(), set()
    for page in PAGES:
        text = page.read_text()
        at_prompts |= set(re.findall(r"^\w*\$ .*?\bmake ([\w-]+)", text, flags=re.M))
        named |= set(re.findall(r"`(?:\w+=\S+ )*make\s+([\w-]+)", text))
    assert named >= {"serve", "flow", "demo", *NAMED}
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for target in named - at_prompts - set(NAMED):
        done = subprocess.run(
            ["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        commands = re.findall(r"^python -m slimderm (\S+)", done.stdout, flags=re.M)
        assert commands, target
        assert [name for name in commands if f'"slimderm", "{name}"' not in tests] == [], target


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_no_address_in_a_page_holds_a_password(page):
    assert not re.search(r"://[^\s/@]+:[^\s/@]+@", page.read_text())
