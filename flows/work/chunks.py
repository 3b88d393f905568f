"""Where pieces of work run: on this machine's processes, or on a Dask cluster.

A chunk is a key and a function that fills an empty folder. It is kept under its key in the cache,
where it appears whole or not at all. So a chunk may be done twice, as Dask does when it loses a
worker, and both engines find each other's results.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prefect import flow, task

from slimderm.components.common.cache import cached, is_whole, place
from slimderm.components.common.workers import broken, one_thread, process_pool
from slimderm.flows.base.retry import RETRIES
from slimderm.flows.config.params import RecordSettings

# What chunks of every step import, steps themselves aside.
IMPORTS = (
    "slimderm.components.compression.write",
    "slimderm.components.quality.storage_options",
    "slimderm.components.quality.resize",
    "slimderm.components.quality.sweep",
    "slimderm.flows.work.chunks",
)


class Job(Protocol):
    """A piece of work that can be sent to another process or machine; it may be done twice."""

    def run(self) -> None:
        """Do it."""


@dataclass(frozen=True)
class Chunk:
    """A piece of work that can be sent to another process or machine.

    Attributes
    ----------
    cache : path
        Absolute; on a cluster, a folder that all machines share.
    key : str
        Hash of everything that the result depends on.
    fill : callable
        Picklable; writes the result into the folder that it is given.
    """

    cache: Path
    key: str
    fill: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        """Where the result lies once it is there."""
        return place(self.cache, self.key)

    def run(self) -> None:
        """Do it on one thread, unless it has been done."""
        one_thread()  # a cluster's process is not ours
        cached(self.cache, self.key, self.fill)


def run_chunks(chunks: Sequence[Chunk], record: RecordSettings) -> Iterator[int]:
    """Run those chunks that are not in the cache where ``record.engine`` says.

    Yields
    ------
    int
        The index of each chunk: first of those in the cache, then of the others as they are
        done. Closing the iterator stops the work.
    """
    missing = [index for index, chunk in enumerate(chunks) if not is_whole(chunk.folder)]
    yield from sorted(set(range(len(chunks))) - set(missing))
    todo = [chunks[index] for index in missing]
    if not todo:
        return
    if record.engine == "dask":
        done = on_dask(todo, str(record.dask_address))
    else:
        done = on_processes(todo, record.workers)
    for position in done:
        yield missing[position]


def on_processes(chunks: Sequence[Chunk], workers: int) -> Iterator[int]:
    """Run chunks on `workers` processes; yield the index of each as it is done."""
    with process_pool(workers, IMPORTS) as pool:
        waiting = {pool.submit(chunk.run): index for index, chunk in enumerate(chunks)}
        try:
            for done in as_completed(waiting):
                done.result()
                yield waiting[done]
        except BrokenProcessPool as error:
            raise broken() from error
        finally:
            # Else a chunk that fails is reported only when all those behind it are done.
            for future in waiting:
                future.cancel()


@task(name="chunk", task_run_name="chunk {index}", **RETRIES)
def _run_on_dask(job: Job, index: int) -> int:
    job.run()
    return index


def on_dask(jobs: Sequence[Job], address: str) -> Iterator[int]:
    """Run jobs as tasks of a Prefect flow on the Dask cluster at `address`, as `on_processes`."""
    from prefect.futures import as_completed as as_prefect_completes
    from prefect_dask import DaskTaskRunner

    name = f"{len(jobs)} jobs"

    @flow(name="chunks", flow_run_name=name, task_runner=DaskTaskRunner(address=address))
    def run_chunks() -> Iterator[int]:
        futures = [_run_on_dask.submit(job, index) for index, job in enumerate(jobs)]
        for future in as_prefect_completes(futures):
            yield future.result()

    yield from run_chunks()
