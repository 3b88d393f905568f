"""The order in which stages run: each stale one, as soon as the stages that it needs have ended."""

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from slimderm.flows.record import dvc_lock
from slimderm.flows.steps.table import stage_of


class Elsewhere(Protocol):
    """Where stages that train run beside this process: other processes, or agents."""

    @property
    def running(self) -> Collection[str]:
        """Stages that have not ended."""
        ...

    def submit(self, stage: str) -> None:
        """Start a stage."""
        ...

    def wait(self) -> list[str]:
        """Wait until a stage or more has ended and is on record; return them."""
        ...


def run_in_order(
    wanted: list[str], here: Callable[[str], None], elsewhere: Elsewhere | None = None
) -> Iterator[tuple[str, int]]:
    """Run those of some stages that are stale, and record each.

    Parameters
    ----------
    wanted : list of str
        In an order in which each follows what it needs.
    here : callable
        Makes and records a stage in this process.
    elsewhere : Elsewhere, optional
        Takes the stages that train, side by side, while the others run here.

    Yields
    ------
    stage : str
        One that has ended.
    left : int
        Stages of `wanted` that have not been looked at, or run elsewhere.
    """
    needs, waiting = dvc_lock.needs(), list(wanted)
    running: Collection[str] = elsewhere.running if elsewhere else ()
    while waiting or running:
        stage = next((one for one in waiting if not needs[one] & {*waiting, *running}), None)
        if stage is None:
            assert elsewhere is not None  # the order leaves only what runs there to wait for
            for ended in elsewhere.wait():
                yield ended, len(waiting) + len(running)
            continue
        waiting.remove(stage)
        if not dvc_lock.is_stale(stage):
            continue
        if elsewhere is not None and stage_of(stage).trains:
            elsewhere.submit(stage)
            continue
        here(stage)
        yield stage, len(waiting) + len(running)
