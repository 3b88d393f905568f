"""What a registered version was trained on, from the data versions that its run names."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.errors import IncomparableError
from slimderm.components.dataset.catalog import TEXT
from slimderm.components.evaluation.unseen import Seen
from slimderm.flows.config import layout
from slimderm.flows.record import data_versions, dvc_lock
from slimderm.flows.record.registry import Registry

FITTED = ("train", "validation")  # parts that shaped the weights, the epoch and the temperature


def seen_by(registry: Registry, version: Any) -> Seen:
    """Find the lesions, images and files of the parts `FITTED` of a version's split.

    Raises
    ------
    IncomparableError
        If its split or its catalog is neither in this clone nor in the remote.
    """
    tags = registry.tracker.client.get_run(version.run_id).data.tags if version.run_id else {}
    split = _file(tags.get("dvc.splits.csv"), "split", version)
    frame = pd.read_csv(split, dtype=str)
    fitted = frame[frame["part"].isin(FITTED)]
    catalog = pd.read_csv(_catalog(tags.get("dvc.raw"), version), dtype=str, keep_default_na=False)
    files = catalog.loc[catalog["image_id"].isin(fitted["image_id"]), "sha256"]
    return Seen(
        lesion_id=frozenset(fitted["lesion_id"]),
        image_id=frozenset(fitted["image_id"]),
        sha256=frozenset(files),
    )


def trained_on(registry: Registry, version: Any) -> frozenset[str]:
    """Find the lesions that a version was trained on.

    Raises
    ------
    IncomparableError
        If its split is neither in this clone nor in the remote.
    """
    tags = registry.tracker.client.get_run(version.run_id).data.tags if version.run_id else {}
    frame = pd.read_csv(_file(tags.get("dvc.splits.csv"), "split", version), dtype=str)
    return frozenset(frame.loc[frame["part"] == "train", "lesion_id"])


def held_out(registry: Registry, version: Any) -> pd.DataFrame:
    """Find the images of a version's data whose lesions it was not trained on.

    Returns
    -------
    DataFrame
        Rows as `slimderm.components.dataset.catalog.read_catalog` gives them.

    Raises
    ------
    IncomparableError
        If its split or its catalog is neither in this clone nor in the remote.
    """
    tags = registry.tracker.client.get_run(version.run_id).data.tags if version.run_id else {}
    table = pd.read_csv(_catalog(tags.get("dvc.raw"), version), dtype=TEXT, keep_default_na=False)
    table["age"] = pd.to_numeric(table["age"], errors="coerce")
    return table[~table["lesion_id"].isin(trained_on(registry, version))]


def _catalog(folder: str | None, version: Any) -> Path:
    """Return the table of the dataset of a hash: this clone's own where it is that one."""
    name = str(layout.RAW)
    if folder and dvc_lock.output_hashes(name).get(name) == folder and layout.CATALOG.exists():
        return layout.CATALOG
    entries = json.loads(_file(folder, "dataset", version).read_text())
    table = next(each for each in entries if each["relpath"] == layout.CATALOG.name)
    return _file(table["md5"], "dataset's table", version)


def _file(md5: str | None, name: str, version: Any) -> Path:
    path = data_versions.cached_file(md5) if md5 else None
    if path is None:
        raise IncomparableError(
            f"version {version.version} of {version.name!r} cannot be evaluated: the {name} it was "
            f"trained on ({md5}) is neither in this clone's cache nor in the remote, so images "
            "that it has seen could not be left out; `make pull` fetches data versions"
        )
    return path
