"""Put a backup in the place of what is here, for `make restore`."""

from collections.abc import Sequence
from pathlib import Path

from slimderm.components.common.errors import ParameterError, RecordError
from slimderm.flows.base.terminal import console, note
from slimderm.flows.servers.backup.folder import Backup, opened
from slimderm.flows.servers.backup.parts import ORDER, Part, part
from slimderm.flows.servers.backup.postgres import Postgres
from slimderm.flows.servers.backup.save import held, versions
from slimderm.flows.servers.backup.sqlite import Sqlite


def check(folder: Path) -> None:
    """Compare each file of a backup with its hash, and say what it holds.

    Raises
    ------
    RecordError
        If it is not whole, or any file is not as it was written.
    """
    kept = opened(folder)
    for name, said in kept.manifest["parts"].items():
        note(name, f"{held(said['files'], said['bytes'])}, from {said['place']}")
    console.print(
        f"backup: {folder} is whole, made {kept.manifest['made']}", highlight=False, soft_wrap=True
    )


def restore(folder: Path, names: Sequence[str] = (), *, overwrite: bool = False) -> None:
    """Restore parts of a backup to where the settings keep them here.

    Everything that can be refused is refused before anything is written. A restore that was
    interrupted is run again, with `overwrite`.

    Parameters
    ----------
    folder : Path
        As `backup` made it.
    names : sequence of str
        The parts; all that it holds if none is named.
    overwrite : bool
        Whether a part may take the place of what is there.

    Raises
    ------
    RecordError
        If the backup is not whole, a part is in use, or its place holds something and `overwrite`
        is false.
    ParameterError
        If the backup holds no such part, or the settings name no place for one.
    """
    kept = opened(folder)
    parts = _chosen(kept, names)
    refusals = [said for each in parts if (said := _refusal(each, kept, overwrite))]
    if refusals:
        raise RecordError("nothing was restored. " + "; ".join(refusals))
    for each in parts:
        each.restore(kept.folder / each.name)
        note(each.name, f"restored to {each.place}")
    now = versions()
    for name, then in kept.manifest["versions"].items():
        if name in now and now[name] != then:
            note("restore", f"made with {name} {then}, and here is {now[name]}: docs/operations.md")


def _chosen(kept: Backup, names: Sequence[str]) -> list[Part]:
    """Return the parts to restore, files before what names them."""
    if unknown := set(names) - set(kept.parts):
        raise ParameterError(
            f"part: received {', '.join(sorted(unknown))}, expected some of what this backup "
            f"holds: {', '.join(kept.parts)}"
        )
    found = []
    for name in reversed(ORDER):
        if name not in (names or kept.parts):
            continue
        here = part(name)
        if here is None:
            raise ParameterError(
                f"{name}: received a backup of it, expected MLFLOW_AUTH_CONFIG_PATH to say where "
                "it goes; or name the parts that are wanted, with --part"
            )
        found.append(here)
    return found


def _refusal(here: Part, kept: Backup, overwrite: bool) -> str:
    """Say why a part cannot be restored; empty where it can."""
    if isinstance(here, Postgres | Sqlite) and not (kept.folder / here.name / here.file).exists():
        then = kept.manifest["parts"][here.name]["place"]
        return (
            f"{here.name}: received a backup of {then}, expected one of the same kind of database "
            f"as {here.place}"
        )
    if user := here.used_by():
        return f"{here.name}: received a database in use ({user}), expected none; stop the servers"
    if not overwrite and (held := here.holds()):
        return (
            f"{here.name}: received {held}, expected nothing there; OVERWRITE=yes (--overwrite) "
            "replaces it"
        )
    return ""
