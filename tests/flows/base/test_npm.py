"""Packages of JavaScript: pinned by hashes without addresses, installed by the wheel's npm."""

import json
import shutil
from pathlib import Path

import pytest

from slimderm.components.common.errors import DownloadError
from slimderm.flows.base.npm import npm_packages

PROJECT = Path(__file__).parents[3] / "kiosk"
NOBODY = "http://127.0.0.1:9/"


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No registry is reached, and nothing is kept that npm fetched before."""
    monkeypatch.setenv("PATH", "/nonexistent")  # the wheel has a node of its own
    monkeypatch.setenv("npm_config_registry", NOBODY)
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))


def test_the_lock_pins_every_package_by_hash_and_names_no_host():
    text = (PROJECT / "package-lock.json").read_text()
    assert "://" not in text
    assert "resolved" not in text
    packages = json.loads(text)["packages"]
    pinned = json.loads((PROJECT / "package.json").read_text())["dependencies"]
    assert packages[""]["dependencies"] == pinned
    assert {name: packages[f"node_modules/{name}"]["version"] for name in pinned} == pinned
    assert all(each["integrity"].startswith("sha512-") for name, each in packages.items() if name)


def test_an_unreached_registry_is_an_error_and_leaves_nothing(offline, tmp_path):
    with pytest.raises(DownloadError, match=r"npm ci: received '.*ECONNREFUSED.*package-lock"):
        npm_packages(PROJECT, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_is_installed_is_found_again_until_the_lock_changes(offline, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text('{"name": "p", "version": "1.0.0"}')
    lock = {"name": "p", "version": "1.0.0", "lockfileVersion": 3, "requires": True}
    lock["packages"] = {"": {"name": "p", "version": "1.0.0"}}
    (project / "package-lock.json").write_text(json.dumps(lock))
    first = npm_packages(project, tmp_path / "cache")
    assert (first.parent / "package-lock.json").exists()
    marked = first.parent / "mark"
    marked.touch()
    assert npm_packages(project, tmp_path / "cache") == first
    assert marked.exists()
    shutil.copy(PROJECT / "package.json", project)
    with pytest.raises(DownloadError, match="npm ci: received"):
        npm_packages(project, tmp_path / "cache")
