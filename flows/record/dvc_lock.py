"""Which stages are stale, and which outputs they made, with their hashes.

DVC and Prefect both run the stages; neither starts the other. A Prefect run asks `is_stale`,
calls the step, and records its outputs within `made`; afterwards ``dvc status`` finds nothing to
do, just as after ``dvc repro``.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.files import write_text
from slimderm.flows.config.layout import DVC_LOCK
from slimderm.flows.record.dvc_repository import (
    damaged_lock,
    lock_errors_as_ours,
    opened,
)

Version = dict[str, dict[str, Any]]  # stage to what dvc.lock records of it


def stages() -> list[str]:
    """List the stages of ``dvc.yaml`` in an order in which each follows what it needs."""
    import networkx

    with opened() as repo:
        graph = repo.index.graph
        order = networkx.lexicographical_topological_sort(
            graph.reverse(), key=lambda stage: stage.addressing
        )
        return [stage.addressing for stage in order if hasattr(stage, "name")]


def needs() -> dict[str, set[str]]:
    """Map each stage to the stages whose outputs it reads."""
    with opened() as repo:
        graph = repo.index.graph
        return {
            stage.addressing: {needed.addressing for needed in graph.successors(stage)}
            for stage in graph
            if hasattr(stage, "name")
        }


def is_stale(stage: str) -> bool:
    """Whether a stage's code, data, parameters or outputs differ from what ``dvc.lock`` records."""
    with opened() as repo:
        return bool(repo.status(targets=[stage]))


@contextmanager
def made(stage: str) -> Iterator[None]:
    """Hold a stage's inputs and outputs as ``dvc repro`` does while the block makes it.

    Then record its dependencies, parameters and outputs in ``dvc.lock`` as ``dvc commit`` does, but
    by a rename: DVC writes that file in place, so a killed process would leave half a file.

    Raises
    ------
    RecordError
        If another process holds one of them; the message says which.
    """
    from dvc.rwlock import rwlock
    from dvc.stage.serialize import to_single_stage_lockfile

    with opened() as repo:
        known = repo.stage.load_one(name=stage)
        read, written = ([item.fs_path for item in items] for items in (known.deps, known.outs))
        place, files = repo.tmp_dir, repo.fs
    holder = " ".join(sys.argv)  # as DVC calls this process, so that it may record what it holds
    with lock_errors_as_ours(), rwlock(place, files, holder, read, written, hardlink=False):
        yield
        with opened() as repo, repo.lock:
            known = repo.stage.load_one(name=stage)
            known.save()
            known.commit(relink=True)
            write(entries() | {stage: to_single_stage_lockfile(known)})


def entries() -> dict[str, Any]:
    """Return what ``dvc.lock`` records of each stage; nothing where there is no such file."""
    import yaml

    try:
        # The loader in C: dvc.lock grows to hundreds of lines and is read at every step.
        loaded = yaml.load(DVC_LOCK.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return dict((loaded or {}).get("stages", {}))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise damaged_lock(error) from error


def write(entries: Mapping[str, Any]) -> None:
    """Make ``dvc.lock`` record these entries and no others."""
    import json

    import yaml

    plain = json.loads(json.dumps(dict(entries)))  # DVC's have dictionaries of its own
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump({"schema": "2.0", "stages": plain}, Dumper=dumper, sort_keys=False)
    write_text(DVC_LOCK, text)


def entry_of(stage: str) -> dict[str, Any]:
    """Return what ``dvc.lock`` records of a stage: its dependencies, parameters and outputs.

    Raises
    ------
    RecordError
        If it records nothing.
    """
    try:
        return dict(entries()[stage])
    except KeyError:
        raise RecordError(f"dvc.lock records nothing of {stage}; run the stage first") from None


def inputs_of(stage: str) -> Version:
    """Return what ``dvc.lock`` records of the stages whose outputs a stage reads."""
    return {needed: entry_of(needed) for needed in sorted(needs()[stage])}


def output_hashes(*paths: str) -> dict[str, str]:
    """Give the DVC hash of each output as ``dvc.lock`` records it; outputs not there are left out.

    Parameters
    ----------
    *paths : str
        Output paths as ``dvc.yaml`` writes them, e.g. ``data/raw``.

    Returns
    -------
    dict of str to str
        Path to md5 (a folder's ends in ``.dir``).
    """
    outputs = (out for stage in entries().values() for out in stage.get("outs", []))
    return {out["path"]: out["md5"] for out in outputs if out["path"] in paths}
