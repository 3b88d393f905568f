"""What tests of infra/ share: the compose files, with values put in as compose does."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class Reset:
    """What ``!reset`` leaves of a value: nothing."""


class Loader(yaml.SafeLoader):
    """YAML with compose's own tag."""


Loader.add_constructor("!reset", lambda loader, node: Reset())


def interpolated(text, values):
    """Put values in as compose does: ``${A}``, ``${A:-default}``, ``${A:?message}``, nested."""

    def value(match):
        name, sign, rest = match.groups()
        found = values.get(name)
        if not found and sign == ":?":
            raise KeyError(f"{name}: {rest}")
        return found or (rest if sign == ":-" else "")

    while True:  # the innermost first
        text, number = re.subn(r"\$\{(\w+)(?:(:[-?])([^{}]*))?\}", value, text)
        if not number:
            return text


def merged(first, second):
    """Lay a second compose file over a first, as compose does with mappings and ``!reset``."""
    laid = dict(first)
    for name, value in second.items():
        if isinstance(value, Reset):
            laid.pop(name, None)
        elif isinstance(value, dict) and isinstance(laid.get(name), dict):
            laid[name] = merged(laid[name], value)
        else:
            assert name not in laid, f"a list or a word over another: {name}"
            laid[name] = value
    return laid


@pytest.fixture(scope="session")
def example():
    """Variables as infra/example.env has them."""
    lines = (ROOT / "infra/example.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="session")
def document(example):
    """Gives the files as compose reads them, with values in the place of the example's."""

    def read(*names, **values):
        known: dict[str, object] = {}
        for name in ("compose.yaml", *names):
            text = interpolated((ROOT / "infra" / name).read_text(), {**example, **values})
            read = yaml.load(text, Loader)
            over = {key: value for key, value in read.items() if not key.startswith("x-")}
            known = merged_services(known, over)
        return known

    return read


def merged_services(first, second):
    """Lay a file over another; words of a variable may take the place of words."""
    services = dict(first.get("services", {}))
    for name, own in second.get("services", {}).items():
        base = services.get(name, {})
        known = {**base.get("environment", {}), **own.get("environment", {})}
        rest = {key: value for key, value in own.items() if key != "environment"}
        laid = merged({key: base[key] for key in base if key != "environment"}, rest)
        services[name] = laid | ({"environment": known} if known else {})
    rest = merged(
        {key: value for key, value in first.items() if key != "services"},
        {key: value for key, value in second.items() if key != "services"},
    )
    return {**rest, "services": services}


@pytest.fixture(scope="session")
def services(document):
    """Gives the services, with values in the place of the example's."""
    return lambda *names, **values: document(*names, **values)["services"]


@pytest.fixture(scope="session")
def secrets(tmp_path_factory):
    """The folder that infra/secrets.sh fills."""
    folder = tmp_path_factory.mktemp("infra")
    shutil.copy(ROOT / "infra/secrets.sh", folder)
    subprocess.run(["sh", folder / "secrets.sh"], check=True)
    return folder / "secrets"


@pytest.fixture(scope="session")
def known_to(secrets):
    """Gives a service's secrets: a value for each name by which its programs know one."""

    def read(service):
        named = [
            each if isinstance(each, dict) else {"source": each, "target": each}
            for each in service.get("secrets", [])
        ]
        return {each["target"]: (secrets / each["source"]).read_text().strip() for each in named}

    return read
