"""The site that `make docs` builds."""

import html
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import slimderm

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        check=True,
    )
    return folder


def signatures(page):
    """What a page of the reference says of each public name: its signature, without tags."""
    parts = re.split(r'<h\d id="slimderm\.(\w+)"', page)[1:]
    for name, part in zip(parts[::2], parts[1::2], strict=True):
        shown = re.search(r'<div class="doc-signature.*?</div>', part, flags=re.S)
        yield name, html.unescape(re.sub(r"<[^>]+>", "", shown[0])) if shown else ""


def test_the_reference_shows_every_public_name_with_its_parameters(site):
    shown = dict(signatures((site / "api/slimderm.html").read_text()))
    names = set(slimderm.__all__) - {"__version__"}
    assert names <= set(shown)
    for name in names:
        kind = getattr(slimderm, name)
        if isinstance(kind, type) and issubclass(kind, Exception):
            continue
        parameters = inspect.signature(kind).parameters
        assert parameters, name
        found = re.findall(r"(\w+)(?=: )", shown[name])
        assert found == list(parameters), name
