"""A pool of processes that each use one thread, so that n workers take n cores and no more."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import scipy.linalg  # noqa: F401  its threads are limited only once it is loaded
import threadpoolctl


def _one_thread() -> None:
    cv2.setNumThreads(1)
    threadpoolctl.threadpool_limits(1)


def process_pool(workers: int) -> ProcessPoolExecutor:
    """Open a pool of `workers` fresh processes; use it as a context manager."""
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread)
