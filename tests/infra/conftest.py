"""What tests of infra/ share: the compose file, with values put in as compose does."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "infra/compose.yaml").read_text()


def interpolated(text, values):
    """Put values in as compose does: ``${A}``, ``${A:-default}``, ``${A:?message}``."""

    def value(match):
        name, sign, rest = match.groups()
        found = values.get(name)
        if not found and sign == ":?":
            raise KeyError(f"{name}: {rest}")
        return found or (rest if sign == ":-" else "")

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, text)


@pytest.fixture(scope="session")
def example():
    """Variables as infra/example.env has them; a password where it leaves one empty."""
    lines = (ROOT / "infra/example.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value or f"{name}:secret" for name, value in pairs}


@pytest.fixture(scope="session")
def document(example):
    """Gives the file as compose reads it, with values in the place of the example's."""

    def read(**values):
        known = yaml.safe_load(interpolated(TEXT, {**example, **values}))
        return {name: value for name, value in known.items() if not name.startswith("x-")}

    return read


@pytest.fixture(scope="session")
def services(document):
    """Gives the services, with values in the place of the example's."""
    return lambda **values: document(**values)["services"]
