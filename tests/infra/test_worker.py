"""infra/clone.sh and worker.sh of a worker's container: git as it is, the rest as it is called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"


def git(folder, *command):
    done = subprocess.run(
        ["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.org", *command],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def commit(folder, **files):
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "more")


@pytest.fixture
def worker(tmp_path):
    """A repository, an image's folder of files, and a way to start the container in its volume."""
    there, image, volume = (tmp_path / name for name in ("there", "image", "volume"))
    for folder in (there, image, volume):
        folder.mkdir()
    for name in ("python", "prefect"):
        (image / name).write_text(f'#!/bin/sh\necho "$PWD: {name} $*"\n')
        (image / name).chmod(0o755)
    for name in ("clone.sh", "worker.sh"):
        shutil.copy(INFRA / name, image)
    (image / "requirements.lock").write_text("a==1\n")
    git(there, "init", "-q")
    commit(there, requirements_lock="a==1\n", params_yaml="seed: 0\n", code_py="old")

    def start(pool="gpu"):
        known = {"REPOSITORY": str(there), "DATA_REMOTE": "s3://a/b", "ARTIFACTS": "s3://c"}
        return subprocess.run(
            [image / "clone.sh", image / "worker.sh", pool, "--limit", "1"],
            cwd=volume,
            env={**os.environ, **known, "PATH": f"{image}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )

    return there, volume / "clone", start


def test_one_that_was_killed_while_it_cloned_clones_again(worker):
    _, clone, start = worker
    (clone.parent / "draft/.git").mkdir(parents=True)  # what the kill left
    for _ in range(2):  # the second finds the clone
        done = start()
        assert (clone / "code.py").read_text() == "old"
        first, *_, last = done.stdout.splitlines()
        assert first == f"{clone}: python -m slimderm remote s3://a/b s3://c"
        assert last.startswith(f"{clone}: prefect worker start --type process --pool gpu ")
        assert last.endswith(" --with-healthcheck --limit 1")
        assert done.stderr == ""


def test_started_again_it_has_the_new_commits_and_what_was_changed_in_its_clone(worker):
    there, clone, start = worker
    start()
    (clone / "params.yaml").write_text("seed: 7\n")
    (clone / "dvc.lock").write_text("schema: '2.0'\n")
    commit(there, code_py="new")
    done = start("cpu")
    assert done.stderr == ""
    assert (clone / "code.py").read_text() == "new"
    assert (clone / "params.yaml").read_text() == "seed: 7\n"
    assert (clone / "dvc.lock").read_text() == "schema: '2.0'\n"
    assert f"{clone}: python -m slimderm deploy" in done.stdout.splitlines()


@pytest.mark.parametrize("change", ["both changed one file", "gone", "history rewritten"])
def test_where_it_cannot_be_brought_up_to_date_it_says_so_and_works_on(worker, change):
    there, clone, start = worker
    start()
    before = git(clone, "rev-parse", "HEAD")
    (clone / "params.yaml").write_text("seed: 7\n")
    if change == "gone":
        shutil.rmtree(there)
    elif change == "history rewritten":
        git(there, "commit", "-q", "--amend", "-m", "other")
    else:
        commit(there, params_yaml="seed: 1\n")
    done = start()
    assert f"was not brought up to date (git says why, above) and stays at {before[:7]}" in (
        done.stderr
    )
    assert "fatal:" in done.stderr or "error:" in done.stderr
    assert git(clone, "rev-parse", "HEAD") == before
    assert (clone / "params.yaml").read_text() == "seed: 7\n"
    assert "prefect worker start" in done.stdout


def test_packages_that_the_image_lacks_are_named_as_the_reason_to_build_it_anew(worker):
    there, _, start = worker
    start()
    commit(there, requirements_lock="a==2\n")
    assert "requirements.lock is not the image's; build" in start().stderr
