"""A stage's inputs: as ``dvc.lock`` records them when it starts, the same when it ends.

DVC trusts time and size of a file, so it does not see what a failing disk changes. Here every
recorded input is hashed except images, which their readers check against the catalog. DVC also
reads code and parameters after a stage has ended, and would record edits made meanwhile as if the
stage had used them.
"""

import configparser
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.files import sources_hash
from slimderm.flows.config import layout
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.dvc_repository import described


@contextmanager
def steady_inputs(stage: str) -> Iterator[None]:
    """Check a stage's inputs, run the block that makes its outputs, and look at the inputs again.

    Raises
    ------
    RecordError
        If an input holds other bytes than were recorded, or code or parameters of the stage were
        changed while the block ran.
    """
    check_inputs(stage)
    before = _code_and_params(stage)
    yield
    after = _code_and_params(stage)
    changed = [name for name in before if after.get(name) != before[name]]
    if changed:
        raise RecordError(
            f"{stage}: {', '.join(changed)} changed while it ran, so its result is not recorded; "
            "run again (undo the change to reuse finished work)"
        )


def _code_and_params(stage: str) -> dict[str, Any]:
    """Return each parameter and the hash of each file of code that ``dvc.yaml`` names."""
    read = described(stage)
    params = yaml.safe_load(layout.PARAMS.read_text()) or {}
    found = {}
    for name in read.get("params", []):
        value: Any = params
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        found[f"{name} in params.yaml"] = value
    deps = read.get("deps", [])
    code = [dep for dep in deps if dep.split("/")[0] in ("components", "flows")]
    return found | {dep: sources_hash(Path(dep)) for dep in code}


def check_inputs(stage: str) -> None:
    """Check those inputs of a stage that are other stages' outputs.

    Outputs that are missing or that ``dvc.lock`` does not record are not checked; DVC and the step
    report them.

    Raises
    ------
    RecordError
        If an input holds other bytes than were recorded; the message names it.
    """
    recorded = [out for entry in dvc_lock.entries().values() for out in entry.get("outs", [])]
    if not recorded:
        return
    read = described(stage).get("deps", [])
    for out in recorded:
        if any(dep == out["path"] or _are_nested(dep, out["path"]) for dep in read):
            for file, expected in _files(out):
                if any(file == dep or file.startswith(f"{dep}/") for dep in read):
                    _check(Path(file), expected, out["path"])


def _are_nested(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _files(out: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and MD5 of each file of an output, images left out."""
    from slimderm.components.dataset.formats import SUFFIXES

    path, md5 = str(out["path"]), str(out["md5"])
    if not md5.endswith(".dir"):
        yield path, md5
        return
    listed = _cache() / md5[:2] / md5[2:]  # without it, the single files' hashes are unknown
    if listed.exists():
        _check(listed, md5.removesuffix(".dir"), path)
        for entry in json.loads(listed.read_text()):
            if not entry["relpath"].lower().endswith(SUFFIXES):
                yield f"{path}/{entry['relpath']}", entry["md5"]


def _cache() -> Path:
    config = configparser.ConfigParser(interpolation=None)
    config.read([layout.DVC / "config", layout.DVC / "config.local"])
    return Path(layout.DVC, config.get("cache", "dir", fallback="cache"), "files/md5")


def _check(file: Path, expected: str, output: str) -> None:
    if not file.is_file():
        return
    with file.open("rb") as stream:
        received = hashlib.file_digest(stream, "md5").hexdigest()
    if received != expected:
        raise RecordError(
            f"{file}: received {received[:12]}, expected {expected[:12]} by dvc.lock, so it was "
            "damaged or changed since it was made; `make doctor` sets damaged data versions aside; "
            f"then delete {output} and run again"
        )
