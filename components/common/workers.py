"""A pool of processes that each use one thread, so that n workers take n cores and no more."""

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import scipy.linalg  # noqa: F401  its threads are limited only once it is loaded
import threadpoolctl


def _one_thread() -> None:
    cv2.setNumThreads(1)
    threadpoolctl.threadpool_limits(1)


def process_pool(workers: int, imports: Sequence[str] = ()) -> ProcessPoolExecutor:
    """Open a pool of `workers` fresh processes; use it as a context manager.

    Parameters
    ----------
    workers : int
    imports : sequence of str
        Modules that the work needs. On Linux one process imports them and does nothing else, so
        that it is safe to fork, and those of this pool and of later ones are its forks. On macOS,
        whose libraries do not outlive a fork, each process imports for itself.
    """
    if sys.platform == "linux":
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__, *imports])
    else:
        context = get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_one_thread)
