import os
import subprocess
import sys

import pytest

from slimderm.components.common.cache import cached, content_key, place, replacing


def test_replacing_leaves_the_old_folder_when_the_block_fails(tmp_path):
    target = tmp_path / "out"
    with replacing(target) as draft:
        (draft / "a").write_text("old")
    with pytest.raises(KeyError), replacing(target) as draft:
        (draft / "a").write_text("new")
        raise KeyError
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_replacing_drops_files_that_the_new_folder_lacks(tmp_path):
    for name in ("a", "b"):
        with replacing(tmp_path / "out") as draft:
            (draft / name).touch()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b"]


def test_replacing_removes_drafts_of_the_dead_alone(tmp_path):
    with subprocess.Popen(["sleep", "60"]) as zombie, subprocess.Popen(["sleep", "60"]) as alive:
        drafts = {
            process.pid: tmp_path / f".out.x.{process.pid}.draft" for process in (zombie, alive)
        }
        for draft in drafts.values():
            draft.mkdir()
        zombie.kill()
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)  # dead, and not waited for
        with replacing(tmp_path / "out"):
            pass
        alive.kill()
    assert not drafts[zombie.pid].exists()
    assert drafts[alive.pid].exists()


def test_cached_produces_once(tmp_path):
    calls = []

    def produce(folder):
        calls.append(folder)
        (folder / "x").write_text("1")

    first = cached(tmp_path, "abcd", produce)
    second = cached(tmp_path, "abcd", produce)
    assert first == second
    assert len(calls) == 1
    assert (first / "x").read_text() == "1"


def test_cached_keeps_nothing_of_a_failed_attempt(tmp_path):
    def fail(folder):
        (folder / "x").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cached(tmp_path, "abcd", fail)
    assert not list(tmp_path.rglob("x"))
    assert cached(tmp_path, "abcd", lambda folder: None).exists()


def test_a_killed_producer_leaves_nothing_that_looks_finished(tmp_path):
    script = (
        "import os, signal, sys; from slimderm.components.common.cache import cached\n"
        "cached(sys.argv[1], 'abcd', lambda f: ((f / 'x').write_text('half'), "
        "os.kill(os.getpid(), signal.SIGKILL)))"
    )
    done = subprocess.run([sys.executable, "-c", script, tmp_path], check=False)
    assert done.returncode < 0
    assert len(list(tmp_path.rglob(".abcd.*.draft"))) == 1
    calls = []
    cached(tmp_path, "abcd", calls.append)
    assert len(calls) == 1
    assert not list(tmp_path.rglob(".*.draft"))


def test_drafts_of_sums_that_were_left_are_removed(tmp_path):
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    folder = place(tmp_path, "abcd")
    folder.parent.mkdir()
    left = [folder.with_name(f".abcd.sums.{owner}draft") for owner in ("", f"{dead.pid}.")]
    for path in left:
        path.touch()
    assert cached(tmp_path, "abcd", lambda draft: (draft / "x").touch()) == folder
    assert not any(path.exists() for path in left)


def test_content_key_ignores_order_and_sees_every_value():
    assert content_key(a=1, b=[2, 3]) == content_key(b=[2, 3], a=1)
    assert content_key(a=1) != content_key(a=2)
    assert content_key(a=1) != content_key(b=1)


def test_damaged_work_is_done_again(tmp_path):
    def produce(folder):
        (folder / "x").write_text("right")

    folder = cached(tmp_path, "abcd", produce)
    (folder / "x").write_text("wrong")
    assert (cached(tmp_path, "abcd", produce) / "x").read_text() == "right"
    (folder / "x").unlink()
    assert (cached(tmp_path, "abcd", produce) / "x").read_text() == "right"
    (folder / "more").touch()
    assert [path.name for path in cached(tmp_path, "abcd", produce).iterdir()] == ["x"]
