"""Backups of what lies in files: they are whole or none, and are put back only when told."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys

import pytest

from slimderm.components.common.errors import ParameterError, RecordError
from slimderm.flows.servers.backup import folder, parts, restore, save
from slimderm.flows.servers.backup.file_stores import Clone, Folder
from slimderm.flows.servers.backup.sqlite import Sqlite


def fill(path, *rows):
    with sqlite3.connect(path) as connection:
        connection.execute("create table if not exists runs (name text)")
        connection.executemany("insert into runs values (?)", [(row,) for row in rows])
    connection.close()


def rows(path):
    with sqlite3.connect(path) as connection:
        found = [name for (name,) in connection.execute("select name from runs")]
    connection.close()
    return found


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A workspace with a database and a folder of artifacts, and no other part."""
    monkeypatch.chdir(tmp_path)
    known = {
        "mlflow": Sqlite("mlflow", tmp_path / "mlflow.db"),
        "artifacts": Folder("artifacts", tmp_path / "mlartifacts"),
    }
    for module in (save, restore):
        monkeypatch.setattr(module, "part", known.get)
    monkeypatch.setattr(save.data_versions, "missing_from_remote", list)
    fill(tmp_path / "mlflow.db", "one", "two")
    (tmp_path / "mlartifacts/0").mkdir(parents=True)
    (tmp_path / "mlartifacts/0/model.keras").write_bytes(b"weights")
    return tmp_path


def test_what_was_saved_comes_back_and_its_hashes_are_those_that_sha256sum_reads(place):
    made = save.backup(place / "kept")
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=made, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert sorted(done.stdout.splitlines()) == [
        "artifacts/0/model.keras: OK",
        "mlflow/database.sqlite: OK",
    ]
    assert made.stat().st_mode & 0o777 == 0o700
    (place / "mlflow.db").unlink()
    (place / "mlartifacts/0/model.keras").unlink()
    (place / "mlartifacts/0").rmdir()
    restore.restore(made)
    assert rows(place / "mlflow.db") == ["one", "two"]
    assert (place / "mlartifacts/0/model.keras").read_bytes() == b"weights"


def test_a_database_is_saved_whole_while_another_writes_to_it(place):
    with sqlite3.connect(place / "mlflow.db") as writer:
        writer.execute("pragma journal_mode=wal")
        writer.execute("insert into runs values ('three')")
        writer.commit()
        writer.execute("insert into runs values ('not committed')")
        made = save.backup(place / "kept")
        writer.rollback()
    writer.close()
    assert rows(made / "mlflow/database.sqlite") == ["one", "two", "three"]


def test_nothing_is_overwritten_unless_told_and_then_all_of_it_is(place):
    made = save.backup(place / "kept")
    fill(place / "mlflow.db", "three")
    (place / "mlartifacts/later").write_text("later")
    with pytest.raises(RecordError, match=r"nothing was restored.*mlartifacts.*mlflow\.db"):
        restore.restore(made)
    assert rows(place / "mlflow.db") == ["one", "two", "three"]
    restore.restore(made, ["mlflow"], overwrite=True)
    assert rows(place / "mlflow.db") == ["one", "two"]
    assert (place / "mlartifacts/later").exists()
    restore.restore(made, overwrite=True)
    assert not (place / "mlartifacts/later").exists()
    with pytest.raises(ParameterError, match="expected a folder that is not"):
        save.backup(made)
    with pytest.raises(ParameterError, match=r"received users.*holds: artifacts, mlflow"):
        restore.restore(made, ["users"])


def test_a_database_that_a_process_has_open_is_not_replaced(place):
    made = save.backup(place / "kept")
    with sqlite3.connect(place / "mlflow.db") as held:
        held.execute("select * from runs").fetchone()
        with pytest.raises(RecordError, match=f"in use .process {os.getpid()}"):
            restore.restore(made, overwrite=True)
    held.close()


def damage(path):
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: damage(made / "artifacts/0/model.keras"), "model.keras: received"),
        (lambda made: (made / "mlflow/database.sqlite").unlink(), "received no file, expected"),
        (lambda made: (made / "artifacts/0/more").write_text(""), "more: received .*none"),
        (lambda made: damage(made / "SHA256SUMS"), "SHA256SUMS: received"),
        (lambda made: (made / "manifest.json").unlink(), "received no manifest.json"),
        (lambda made: (made / "manifest.json").write_text("{}"), "no manifest of a backup"),
    ],
)  # fmt: skip
def test_a_damaged_backup_is_refused_before_anything_is_written(place, change, said):
    made = save.backup(place / "kept")
    change(made)
    fill(place / "mlflow.db", "three")
    with pytest.raises(RecordError, match=said):
        restore.restore(made, overwrite=True)
    with pytest.raises(RecordError, match=said):
        restore.check(made)
    assert rows(place / "mlflow.db") == ["one", "two", "three"]


def test_the_message_says_which_hash_was_received_and_which_expected(place):
    made = save.backup(place / "kept")
    damage(made / "artifacts/0/model.keras")
    received, expected = (hashlib.sha256(text).hexdigest() for text in (b"weight?", b"weights"))
    with pytest.raises(RecordError, match=f"received {received}, expected {expected}"):
        folder.opened(made)


def test_a_damaged_database_is_not_saved_and_leaves_nothing(place):
    (place / "mlflow.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    with pytest.raises(RecordError, match=r"mlflow\.db, which is damaged"):
        save.backup(place / "kept")
    assert sorted(path.name for path in place.iterdir()) == ["mlartifacts", "mlflow.db"]


def test_a_backup_that_was_killed_is_none_and_the_next_removes_what_it_left(place, wait_until):
    for number in range(1000):
        (place / f"mlartifacts/{number}").touch()
    script = (
        "from pathlib import Path; from slimderm.flows.servers.backup import save\n"
        "from slimderm.flows.servers.backup.file_stores import Folder\n"
        "save.part = {'artifacts': Folder('artifacts', Path('mlartifacts'))}.get\n"
        "save.backup(Path('kept'))"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=place) as process:
        wait_until(lambda: list(place.glob(".kept.*/artifacts")), pause=0.005)
        process.send_signal(signal.SIGKILL)
    (left,) = place.glob(".kept.*")
    assert not (place / "kept").exists()
    with pytest.raises(RecordError, match="one that was interrupted has none"):
        restore.restore(left)
    made = save.backup(place / "kept")
    assert not left.exists()
    folder.opened(made)


def test_of_the_clone_only_what_git_cannot_give_back_is_kept_from_being_replaced(tmp_path):
    def git(*command):
        subprocess.run(["git", "-C", tmp_path, *command], check=True, capture_output=True)

    git("init", "-q")
    (tmp_path / "params.yaml").write_text("seed: 0")
    git("add", "-A")
    git("-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "clone")
    files = tuple(tmp_path / name for name in ("params.yaml", "dvc.lock"))
    script = (
        "from pathlib import Path; from slimderm.flows.servers.backup.file_stores import Clone\n"
        "print(Clone('clone', (Path('params.yaml'), Path('dvc.lock'))).holds())"
    )

    def held():
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.strip()

    assert Clone("clone", files).exists()
    assert held() == ""
    files[1].write_text("stages: {}")
    assert held() == "dvc.lock"
    files[0].write_text("seed: 1")
    assert held() == "params.yaml, dvc.lock"


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("postgresql+asyncpg://me:p%40ss@db:5/prefect?ssl=require",
         "postgresql://me@db:5/prefect?sslmode=require"),
        ("sqlite+aiosqlite:////auth/users.db", "/auth/users.db"),
        ("sqlite:///mlflow.db", "mlflow.db"),
    ],
)  # fmt: skip
def test_a_database_is_named_without_its_password_and_as_postgresqls_programs_take_it(
    address, place
):
    assert parts.database("mlflow", address).place == place


@pytest.mark.parametrize("address", ["mysql://me:secret@db/mlflow", "sqlite://"])
def test_a_database_of_another_kind_is_refused(address):
    with pytest.raises(ParameterError, match="expected postgresql") as refused:
        parts.database("mlflow", address)
    assert "secret" not in str(refused.value)
