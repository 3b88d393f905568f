"""Backups: save what was recorded, and put it back."""

from pathlib import Path
from typing import Annotated

import typer


def backup(
    target: Annotated[
        Path | None, typer.Argument(help="A new folder; backups/ and the time where none is named.")
    ] = None,
) -> None:
    """Save databases, artifacts and data versions.

    Reads the databases of MLflow, of its users and of Prefect, MLflow's artifacts and the DVC
    remote, where the servers' own variables and params.yaml say that they are; and params.yaml,
    dvc.lock and mlflow/registry.yaml. Writes a folder with the hash of each file. Servers may run.
    Takes as long as copying everything.
    """
    from slimderm.flows.servers.backup.save import backup

    backup(target)


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup.")],
    part: Annotated[
        list[str] | None, typer.Option(help="A part alone, such as users; may be repeated.")
    ] = None,
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace what is in the places.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Check the hashes; restore nothing.")
    ] = False,
) -> None:
    """Put a backup in the place of what is here.

    Checks every hash first, and that no server runs. Writes to where the servers' own variables and
    params.yaml say: a database and a folder are replaced as a whole. Refuses where something is
    there, unless told to overwrite. Takes twice as long as the backup did.
    """
    from slimderm.flows.servers.backup import restore as restoring

    if check:
        restoring.check(folder)
    else:
        restoring.restore(folder, part or (), overwrite=overwrite)
