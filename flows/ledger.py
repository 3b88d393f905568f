"""What is stale, what came out, and under which hash.

DVC and Prefect both run graphs, and neither shells into the other. A Prefect run asks `is_stale`,
calls the step, and records what came out with `commit`; afterwards ``dvc status`` finds nothing to
do, just as after ``dvc repro``.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from components.errors import RecordError
from flows.repository import LOCK, damaged_lock, opened, writing
from flows.runtime import write_text

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


def commit(stage: str) -> None:
    """Record a stage that just ran: its dependencies, parameters and outputs, in ``dvc.lock``."""
    with opened() as repo:
        repo.commit(stage, force=True)


def reproduce() -> None:
    """Run every stale stage as ``dvc repro`` does, each in a process of its own; wait for others.

    Raises
    ------
    RecordError
        If a stage fails, or DVC itself; the message says which stage, and how it ended.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    with writing():
        with opened() as repo:  # says what is damaged; a stage opens it, too, so it is not held
            root = repo.root_dir
        try:
            with Repo(root) as repo:
                repo.reproduce()
        except DvcException as error:
            raise RecordError(": ".join(_reasons(error))) from error


def _reasons(error: BaseException | None) -> Iterator[str]:
    """Yield what an error says, then what those say that led to it."""
    while error is not None:
        yield str(error).strip()
        error = error.__cause__


def entries() -> dict[str, Any]:
    """Return what ``dvc.lock`` records of each stage; nothing where there is no such file."""
    import yaml

    try:
        return dict((yaml.safe_load(LOCK.read_text()) or {}).get("stages", {}))
    except FileNotFoundError:
        return {}
    except (yaml.YAMLError, ValueError, AttributeError) as error:
        raise damaged_lock(error) from error


def write(entries: Mapping[str, Any]) -> None:
    """Make ``dvc.lock`` record these entries and no others."""
    import yaml

    write_text(LOCK, yaml.safe_dump({"schema": "2.0", "stages": dict(entries)}, sort_keys=False))


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
