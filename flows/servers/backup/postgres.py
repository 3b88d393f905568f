"""A PostgreSQL database as one file, by PostgreSQL's own programs."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.terminal import without_password


@dataclass(frozen=True)
class Postgres:
    """A database of a PostgreSQL server. A dump of it is of one moment."""

    name: str
    url: URL
    file = "database.dump"

    @property
    def place(self) -> str:
        """Its address without the password."""
        return self._libpq()._replace(password=None).render_as_string(hide_password=False)

    def _libpq(self) -> URL:
        """Return the address as libpq takes it, where it was written for another driver."""
        query = {"sslmode" if key == "ssl" else key: value for key, value in self.url.query.items()}
        return self.url.set(drivername="postgresql", query=query)

    def exists(self) -> bool:
        """Whether there is one to save: always, or the dump says why not."""
        return True

    def save(self, folder: Path) -> None:
        """Dump it into a folder, in the form that ``pg_restore`` reads.

        Raises
        ------
        RecordError
            If ``pg_dump`` does not; the message is its own.
        """
        options = ["--format=custom", "--no-owner", "--no-privileges", "--file", folder / self.file]
        with self._program("pg_dump", *options, "--dbname", self.place) as process:
            _, said = process.communicate()
        self._check(process, said)

    def holds(self) -> str:
        """Say what a restore would overwrite; empty where that is nothing."""
        tables = "select count(*) from pg_tables where schemaname = 'public'"
        number = self._ask(tables)
        return f"{number} tables in {self.place}" if number else ""

    def used_by(self) -> str:
        """Name the programs that are connected to it."""
        others = (
            "select count(*) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
        number = self._ask(others)
        return f"{number} connections to {self.place}" if number else ""

    def restore(self, folder: Path) -> None:
        """Put the dump in the place of all tables, in one transaction: whole or not at all.

        Raises
        ------
        RecordError
            If ``pg_restore`` or ``psql`` does not; the message is its own.
        """
        reading = ("pg_restore", "--no-owner", "--no-privileges", "--no-comments", "--file", "-")
        writing = ("--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", self.place)
        with (
            self._program(*reading, folder / self.file) as reader,
            self._program(
                "psql", *writing, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
            ) as writer,
        ):
            assert reader.stdout is not None
            assert writer.stdin is not None
            unread = b""
            with contextlib.suppress(BrokenPipeError):  # psql says why it ended
                _write(writer.stdin, "begin; drop schema public cascade; create schema public;\n")
                shutil.copyfileobj(reader.stdout, writer.stdin)
                _, unread = reader.communicate()
                if reader.returncode == 0:  # what comes half is rolled back
                    _write(writer.stdin, "\ncommit;\n")
            _, refused = writer.communicate()
        self._check(writer, refused)
        self._check(reader, unread)

    @contextlib.contextmanager
    def _program(self, name: str, *options: Any, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Run one of PostgreSQL's programs; it takes the password from the environment."""
        if shutil.which(name) is None:
            raise RecordError(
                f"{self.name}: received no program {name}, expected PostgreSQL's client programs "
                "of its server's version or a later one (Debian: apt-get install postgresql-client)"
            )
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        with subprocess.Popen([name, *options], env=self._environment(), **pipes) as process:
            yield process

    def _environment(self) -> dict[str, str]:
        own = {"PGPASSWORD": self.url.password} if self.url.password else {}
        return {**os.environ, **own}

    def _check(self, process: subprocess.Popen[bytes], said: bytes) -> None:
        if process.returncode:
            reason = without_password(" ".join(said.decode(errors="replace").split()))[:500]
            raise RecordError(f"{self.name}: {reason} (database {self.place})")

    def _ask(self, question: str) -> int:
        engine = create_engine(self._libpq(), poolclass=NullPool)
        try:
            with engine.connect() as connection:
                return int(connection.execute(text(question)).scalar_one())
        except SQLAlchemyError as error:
            reason = without_password(str(error.__cause__ or error).strip())
            raise RecordError(
                f"{self.name}: the database {self.place} does not answer ({reason}); it must be "
                "there, if empty, and PGPASSWORD hold its password"
            ) from error


def _write(stream: IO[bytes], text: str) -> None:
    stream.write(text.encode())
    stream.flush()
