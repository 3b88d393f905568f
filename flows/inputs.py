"""A stage's inputs, byte for byte as ``dvc.lock`` records them, or the stage does not run.

DVC trusts time and size of a file, so it does not see what a failing disk changes. Here every
recorded input is hashed but images, which whoever reads them checks against their table. Done
without DVC, whose import takes longer than this.
"""

import configparser
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from components.errors import RecordError
from flows import ledger
from flows.params import read_params


def check_inputs(stage: str) -> None:
    """Check what a stage reads of other stages' outputs.

    An output that ``dvc.lock`` does not record, or that is not there, is left to DVC and the step.

    Raises
    ------
    RecordError
        If an input holds other bytes than were recorded; the message names it.
    """
    recorded = [out for entry in ledger.entries().values() for out in entry.get("outs", [])]
    if not recorded:
        return
    read = _read_by(stage)
    for out in recorded:
        if any(dep == out["path"] or _are_nested(dep, out["path"]) for dep in read):
            for file, expected in _files(out):
                if any(file == dep or file.startswith(f"{dep}/") for dep in read):
                    _check(Path(file), expected, out["path"])


def _read_by(stage: str) -> list[str]:
    """Return the ``deps`` of a stage of ``dvc.yaml``, its ``${...}`` filled in."""
    name, _, item = stage.partition("@")
    params, named = read_params(), {"item": item, "key": item}

    def value(found: re.Match[str]) -> str:
        return named.get(found[1]) or str(reduce(getattr, found[1].split("."), params))

    described = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][name]
    deps = described.get("do", described)["deps"]
    return [re.sub(r"\$\{([^}]+)\}", value, dep) for dep in deps]


def _are_nested(one: str, other: str) -> bool:
    return one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _files(out: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and MD5 of each file of an output, images left out."""
    from components.dataset.catalog import SUFFIXES  # and pandas, when it is needed

    path, md5 = str(out["path"]), str(out["md5"])
    if not md5.endswith(".dir"):
        yield path, md5
        return
    listed = _cache() / md5[:2] / md5[2:]  # where it is not, nothing is known of the single files
    if listed.exists():
        _check(listed, md5.removesuffix(".dir"), path)
        for entry in json.loads(listed.read_text()):
            if not entry["relpath"].lower().endswith(SUFFIXES):
                yield f"{path}/{entry['relpath']}", entry["md5"]


def _cache() -> Path:
    config = configparser.ConfigParser(interpolation=None)
    config.read([".dvc/config", ".dvc/config.local"])
    return Path(".dvc", config.get("cache", "dir", fallback="cache"), "files/md5")


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
