"""An agent's workplace, and the jobs that it refuses."""

import contextlib
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.agents import agent
from slimderm.flows.agents.agent import workplace
from slimderm.flows.agents.coordinator import committed


def git(folder, *arguments):
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path):
    """A small DVC repository with a commit."""
    origin = tmp_path / "clone"
    (origin / ".dvc").mkdir(parents=True)
    (origin / ".dvc/config").write_text(
        "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../dvc-remote\n"
    )
    (origin / "requirements.lock").write_text("numpy==2.4.6\n")
    (origin / "components").mkdir()
    (origin / "components/code.py").write_text("one = 1\n")
    git(origin, "init", "-q")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "first")
    return origin


def test_a_workplace_holds_the_commit_and_shares_remote_and_cache(clone):
    first = git(clone, "rev-parse", "HEAD")
    (clone / "components/code.py").write_text("two = 2\n")
    git(clone, "commit", "-qam", "second")
    with workplace(clone, first) as place:
        assert (place / "components/code.py").read_text() == "one = 1\n"
        assert (clone / "components/code.py").read_text() == "two = 2\n"
        config = (place / ".dvc/config.local").read_text()
        assert str(clone / "dvc-remote") in config
        assert str(clone / ".dvc/cache") in config
        (place / "components/code.py").write_text("left over\n")
    with workplace(clone, git(clone, "rev-parse", "HEAD")) as again:
        assert (again / "components/code.py").read_text() == "two = 2\n"


def test_a_second_job_waits_for_the_first(clone):
    commit, ended = git(clone, "rev-parse", "HEAD"), []

    def second():
        with workplace(clone, commit):
            ended.append("second")

    thread = threading.Thread(target=second)
    with workplace(clone, commit):
        thread.start()
        thread.join(2)
        ended.append("first")
    thread.join(60)
    assert ended == ["first", "second"]


def test_a_killed_clone_leaves_nothing_that_a_later_job_takes_for_whole(clone, monkeypatch):
    commit = git(clone, "rev-parse", "HEAD")

    def killed(folder, *arguments, check=True):
        (Path(arguments[-1]) / ".git").mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(agent, "_git", killed)
        with pytest.raises(KeyboardInterrupt), workplace(clone, commit):
            pass
    with workplace(clone, commit) as place:
        assert (place / "components/code.py").exists()


def test_locks_of_a_killed_git_hold_nothing_up(clone):
    commit = git(clone, "rev-parse", "HEAD")
    with workplace(clone, commit) as place:
        for name in ("index.lock", "HEAD.lock"):
            (place / ".git" / name).touch()
    with workplace(clone, commit) as place:
        assert not list((place / ".git").glob("*.lock"))


def test_a_workplace_moves_and_is_copied_with_its_clone(clone, tmp_path):
    with workplace(clone, git(clone, "rev-parse", "HEAD")):
        pass
    copy = tmp_path / "a copy"
    shutil.copytree(clone, copy)
    (copy / "components/code.py").write_text("two = 2\n")
    git(copy, "commit", "-qam", "second")
    with workplace(copy, git(copy, "rev-parse", "HEAD")) as place:
        assert (place / "components/code.py").read_text() == "two = 2\n"
        assert str(copy / ".dvc/cache") in (place / ".dvc/config.local").read_text()
    moved = tmp_path / "moved"
    clone.rename(moved)
    with workplace(moved, git(moved, "rev-parse", "HEAD")) as place:
        git(place, "fsck", "--full")


def test_a_commit_that_nobody_has_is_refused(clone):
    refused = pytest.raises(RecordError, match=r"received 0000.*push it from the coordinator")
    with refused, workplace(clone, "0" * 40):
        pass


def test_a_commit_of_another_environment_is_refused(clone):
    first = git(clone, "rev-parse", "HEAD")
    (clone / "requirements.lock").write_text("numpy==2.4.7\n")
    with pytest.raises(RecordError, match="make setup"), workplace(clone, first):
        pass


def test_code_that_is_not_committed_is_not_sent(clone):
    (clone / "params.yaml").write_text("{}")
    with contextlib.chdir(clone):
        assert committed() == git(clone, "rev-parse", "HEAD")
        (clone / "components/code.py").write_text("three = 3\n")
        with pytest.raises(RecordError, match=r"components/code\.py"):
            committed()
        git(clone, "checkout", "-q", "components/code.py")
        git(clone, "mv", "components/code.py", "components/more code.py")
        (clone / "components/and more.py").touch()
        names = r"\(components/code\.py, components/more code\.py, components/and more\.py\)"
        with pytest.raises(RecordError, match=names):
            committed()
