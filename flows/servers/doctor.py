"""Check what the platform needs, and say what to do, for `make doctor`."""

import http.client
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from packaging.requirements import Requirement

from slimderm.components.common.errors import SlimDermError
from slimderm.flows.base.sqlite import sqlite_file
from slimderm.flows.base.terminal import without_password
from slimderm.flows.config import layout

FREE_GB = 5
SKEW_SECONDS = 30


@dataclass(frozen=True)
class Finding:
    """What one check found; ``ok`` is None if the check was skipped."""

    name: str
    ok: bool | None
    message: str


def python() -> Finding:
    """Check that the lock supports this version of Python."""
    version = sys.version.split()[0]
    ok = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("Python", ok, version if ok else f"{version}; use 3.11 to 3.13")


def pins(lock: Path = layout.REQUIREMENTS_LOCK) -> Finding:
    """Check that the installed packages are those that the lock names."""
    wrong = []
    for line in lock.read_text().splitlines():
        if "==" not in line or line.startswith((" ", "#")):
            continue
        wanted = Requirement(line.rstrip("\\ "))
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            have = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            have = "nothing"
        if have == "nothing" or not wanted.specifier.contains(have):
            wrong.append(f"{wanted.name} {have}")
    if wrong:
        more = f"{', '.join(wrong[:4])}{' …' if len(wrong) > 4 else ''}"
        return Finding("packages", False, f"not as {lock}: {more}; delete .venv, then `make setup`")
    return Finding("packages", True, f"as {lock}")


def programs() -> Finding:
    """Check that the programs of the environment start this Python, as after a move they do not."""
    here = Path(sys.executable).parent
    script = here / "dvc"
    if not script.exists():
        return Finding("programs", None, f"no {script}")
    first = script.read_text(errors="replace")[:1000]
    found = re.search(r"^#!(/[^\n]*)/python[\w.]*$|exec' '?(/.*?)/python", first, re.MULTILINE)
    started = Path((found[1] or found[2]) if found else here)
    if started.resolve() != here.resolve():
        message = f"{script} starts the Python of {started}, so .venv was moved or copied; "
        return Finding("programs", False, f"{message}delete .venv, then `make setup`")
    return Finding("programs", True, f"of {here}")


def disk(folder: Path = Path()) -> Finding:
    """Check that there is room for data versions and models."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < FREE_GB:
        message = f"{free:.1f} GB free, {FREE_GB} wanted; `dvc gc -w` frees old versions"
        return Finding("disk", False, message)
    return Finding("disk", True, f"{free:.0f} GB free")


def servers() -> Iterator[Finding]:
    """Check that the servers named by the environment answer, and that clocks agree."""
    named = {"MLflow": "MLFLOW_TRACKING_URI", "Prefect": "PREFECT_API_URL"}
    for name, variable in named.items():
        address = without_password(os.environ.get(variable, ""))
        if not address.startswith("http"):
            runs = (layout.SERVERS / f"{name.lower()}.json").exists()
            what = "set it as `make up` says; it is running" if runs else "`make up` starts one"
            yield Finding(name, None, f"{variable} names no server; {what}")
            continue
        try:
            skew = _skew(f"{address.rstrip('/')}/health")
        except (OSError, http.client.HTTPException) as error:
            yield Finding(name, False, f"{address} does not answer ({error}); `make up` there")
            continue
        yield Finding(name, True, address)
        if skew is not None and abs(skew) > SKEW_SECONDS:
            yield Finding("clock", False, f"{skew:+.0f} s from {name}'s; set the time (NTP)")


def _skew(address: str) -> float | None:
    """Return the seconds by which this clock is ahead of a server's; None if it sends no time."""
    with urllib.request.urlopen(address, timeout=5) as reply:
        message = reply.headers["Date"]
    return time.time() - parsedate_to_datetime(message).timestamp() if message else None


def clock(folder: Path = Path()) -> Finding:
    """Check that the clock is not behind the time at which dvc.lock was written."""
    lock = folder / layout.DVC_LOCK
    if lock.exists() and lock.stat().st_mtime > time.time() + SKEW_SECONDS:
        return Finding("clock", False, "dvc.lock is from the future; set the time (NTP)")
    return Finding("clock", True, time.strftime("%Y-%m-%d %H:%M %Z"))


def store() -> Finding:
    """Check that the remote can be written and read."""
    from slimderm.flows.record.data_versions import remote
    from slimderm.flows.record.s3 import check_bucket

    try:
        url = remote()
        if url.startswith("s3://"):
            check_bucket(url)
        elif not os.access(next(p for p in (Path(url), *Path(url).parents) if p.exists()), os.W_OK):
            return Finding("store", False, f"{url} cannot be written; `make remote URL=...`")
    except SlimDermError as error:
        return Finding("store", False, str(error))
    return Finding("store", True, url)


def versions() -> Finding:
    """Hash every file of DVC's cache; set damaged ones aside."""
    from slimderm.flows.record.data_versions import set_damaged_aside

    try:
        damaged, number = set_damaged_aside()
    except SlimDermError as error:
        return Finding("versions", False, str(error))
    except BlockingIOError:
        return Finding("versions", None, "not checked while a run is under way in this clone")
    if damaged:
        names = f"{', '.join(damaged[:2])}{' …' if len(damaged) > 2 else ''}"
        message = f"{len(damaged)} of {number} in DVC's cache were damaged ({names}), now in "
        message += ".dvc/damaged; run again, or `make pull`"
        return Finding("versions", False, message)
    return Finding("versions", True, f"{number} in DVC's cache, each as its name says")


def record() -> Finding:
    """Check that MLflow's files lie where its database says, as after a move they do not."""
    from slimderm.flows.config.params import read_params
    from slimderm.flows.record.moved import former_place

    settings = read_params().record
    address = os.environ.get("MLFLOW_TRACKING_URI", settings.tracking_uri)
    database = sqlite_file(address)
    if database is None or not database.exists():
        return Finding("record", None, f"{without_password(address)} is no database here")
    old = former_place(database, settings.artifacts)
    if old is None:
        return Finding("record", True, f"{database}, its files in {settings.artifacts}")
    message = f"{database} says that its files lie in {old / settings.artifacts}: this clone was "
    message += "moved or copied; "
    if Path(settings.artifacts).is_dir():
        return Finding("record", True, f"{message}the next run or `make review` sets that right")
    message += f"move or copy that folder here, or delete {database} and run `make backfill`"
    return Finding("record", False, message)


def gpu() -> Finding:
    """Check that Keras's backend sees this machine's GPU, if there is one."""
    if shutil.which("nvidia-smi") is None:
        return Finding("GPU", None, "no nvidia-smi; training runs on the CPU")
    script = "from slimderm.components.training.precision import count_gpus; print(count_gpus())"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    number = done.stdout.strip().splitlines()[-1:] or ["0"]
    if done.returncode or number == ["0"]:
        message = "there is one, and Keras's backend does not see it; `make setup CUDA=tensorflow`"
        message += " (or jax, or torch) installs what it needs"
        return Finding("GPU", False, message)
    return Finding("GPU", True, f"{number[0]} seen by Keras")


def examine() -> list[Finding]:
    """Run every check."""
    checks: list[Callable[[], Finding]] = [
        python,
        pins,
        programs,
        disk,
        clock,
        store,
        versions,
        record,
        gpu,
    ]
    return [*(check() for check in checks), *servers()]
