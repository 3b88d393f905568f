"""Addresses of SQLite databases: ``sqlite:///`` and a file."""

from pathlib import Path

BEGINNING = "sqlite:///"


def sqlite_file(address: str) -> Path | None:
    """Return the file of an address; None where the database is no SQLite file."""
    file = address.removeprefix(BEGINNING)
    return None if file == address else Path(file)


def whole_address(address: str) -> str:
    """Give the address of an SQLite database with its whole path; others as they are.

    MLflow keeps a database open under its address: in another folder the same one would still
    mean the first database.
    """
    file = sqlite_file(address)
    return address if file is None else f"{BEGINNING}{file.absolute()}"
