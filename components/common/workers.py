"""One thread for each process, so that n processes take n cores and no more."""

import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import forkserver, get_context, resource_tracker
from typing import TypeVar

import threadpoolctl

from slimderm.components.common.errors import WorkerError

Item = TypeVar("Item")
Result = TypeVar("Result")

INTERRUPTED = "slimderm.components.common.interrupted"  # Linux: Ctrl-C ends it without a traceback
INTERRUPT = 0.2  # seconds by which one process of a terminal may hear of Ctrl-C before another
# Read by OpenBLAS, Accelerate and OpenCV when they are loaded. Of these alone: what trains networks
# has threads of its own, and needs them.
VARIABLES = ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "OPENCV_FOR_THREADS_NUM")


def one_thread() -> None:
    """Give linear algebra and OpenCV one thread, here and in each process that this one starts.

    Matrices of an image are so small that threads cost more than they save: by two threads the time
    doubles, by many it grows tenfold. Networks are trained on all cores as before.
    """
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    threadpoolctl.threadpool_limits(1, user_api="blas")  # of what is loaded already
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)


def _begin() -> None:
    one_thread()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # macOS: Ctrl-C ends it without a traceback


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
        context.set_forkserver_preload([INTERRUPTED, __name__, *imports])
        resource_tracker.ensure_running()  # it ends by unblocking the signal
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    else:
        context = get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)


def map_ahead(
    pool: ProcessPoolExecutor,
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    ahead: int,
) -> Iterator[Result]:
    """Yield `work` of each item, in order, and hold no more than `ahead` results.

    Closing the iterator stops the work.

    Raises
    ------
    WorkerError
        If a process ends without an answer.
    """
    waiting: deque[Future[Result]] = deque()
    lost: BrokenProcessPool | None = None
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        lost = error
    finally:
        for future in waiting:
            future.cancel()
    if lost is not None:
        time.sleep(INTERRUPT)  # where Ctrl-C ended the process, it ends this one here
        raise broken() from lost


def broken() -> WorkerError:
    """Return the error that says what to do where a worker process was lost."""
    return WorkerError(
        "a worker process ended without an answer; was it killed, or short of memory? Run again, "
        "with a smaller record.workers if memory is short: finished work is kept"
    )
