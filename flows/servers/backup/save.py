"""Save every part into a new folder, for `make backup`."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import replacing
from slimderm.components.common.errors import ParameterError
from slimderm.flows.base.terminal import console, note
from slimderm.flows.config import layout
from slimderm.flows.record import data_versions
from slimderm.flows.servers.backup.folder import seal
from slimderm.flows.servers.backup.parts import ORDER, Part, part

PACKAGES = ("slimderm", "mlflow", "prefect", "dvc")


def backup(target: Path | None = None) -> Path:
    """Save what the servers, the store and the clone keep; servers may run meanwhile.

    Parameters
    ----------
    target : Path, optional
        A folder that is not there yet; by default one of ``backups/``, named by the time.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ParameterError
        If `target` is there.
    RecordError
        If a part cannot be read.
    """
    now = datetime.now(UTC)
    target = target or layout.BACKUPS / now.strftime("%Y-%m-%dT%H%M%SZ")
    if target.exists():
        raise ParameterError(
            f"OUT: received {target}, which is there, expected a folder that is not"
        )
    for name in ORDER:  # settings that are wrong are an error before gigabytes are read
        part(name)
    with replacing(target) as draft:
        draft.chmod(0o700)  # it holds hashes of passwords, and everything that was recorded
        saved = {name: _save(part(name), draft / name) for name in ORDER}
        seal(draft, _about(now) | {"parts": {name: said for name, said in saved.items() if said}})
        os.sync()  # before it gets its name
    _warn(target / "versions")
    console.print(
        f"backup: {target}, {_bytes(target) / 1e6:.1f} MB", highlight=False, soft_wrap=True
    )
    return target


def _save(found: Part | None, folder: Path) -> dict[str, Any] | None:
    """Save a part; return what the manifest says of it, None where there is nothing."""
    if found is None or not found.exists():
        return None
    folder.mkdir()
    found.save(folder)
    number, size = sum(path.is_file() for path in folder.rglob("*")), _bytes(folder)
    note(found.name, f"{held(number, size)}, from {found.place}")
    return {"place": found.place, "files": number, "bytes": size}


def _about(now: datetime) -> dict[str, Any]:
    """Say when and by what a backup is made."""
    asked = ["git", "rev-parse", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "made": now.isoformat(timespec="seconds"),
        "machine": platform.node(),
        "commit": commit or None,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """List the versions of what reads and writes the databases."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # SlimDerm in its clone: see the commit
            continue
    return found


def _warn(saved: Path) -> None:
    """Say what a backup lacks because the remote lacks it, and what is damaged there."""
    if damaged := data_versions.damaged_in(saved):
        names = ", ".join(damaged[:2])
        note(
            "versions",
            f"{len(damaged)} files are damaged in the remote ({names}); delete them there, run "
            "`make push`, then back up again",
        )
    if missing := data_versions.missing_from_remote():
        names = ", ".join(missing[:2]) + (" …" if len(missing) > 2 else "")
        note(
            "versions",
            f"the remote lacks {len(missing)} files that {layout.DVC_LOCK} names ({names}), and "
            "so does this backup; run `make push`, then back up again",
        )


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def held(number: int, size: int) -> str:
    """Say how many files of how many bytes a part has."""
    return f"{number} file{'' if number == 1 else 's'}, {size / 1e6:.1f} MB"
