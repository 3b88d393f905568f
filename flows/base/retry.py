"""Waiting for Prefect's server where it does not answer, and trying tasks again where it helps."""

import errno
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import httpx
from prefect import get_run_logger
from prefect.exceptions import PrefectHTTPStatusError
from prefect.tasks import exponential_backoff

from slimderm.components.common.errors import TransferError

PATIENCE_SECONDS = 3600
PAUSE_SECONDS = 5
Question = ParamSpec("Question")
Answer = TypeVar("Answer")


def patiently(
    ask: Callable[Question, Answer], *question: Question.args, **more: Question.kwargs
) -> Answer:
    """Ask Prefect's server, again and again while it does not answer, for an hour.

    Raises
    ------
    httpx.TransportError, PrefectHTTPStatusError
        What it said last; at once where the question is at fault (HTTP status below 500).
    """
    end = time.monotonic() + PATIENCE_SECONDS
    said = False
    while True:
        try:
            return ask(*question, **more)
        except (httpx.TransportError, PrefectHTTPStatusError) as error:
            refused = isinstance(error, PrefectHTTPStatusError) and error.response.status_code < 500
            if refused or time.monotonic() > end:
                raise
            if not said:
                get_run_logger().warning("Prefect's server does not answer; waiting (%r)", error)
                said = True
            time.sleep(PAUSE_SECONDS)


def is_worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    """Tell whether a task failed for its connection or disk, not for its work or its time-out.

    A connection that timed out is a `TransferError`; what is left is Prefect's own time-out, which
    would only run out again. Nor does a file come back, or a disk become empty, in a minute.
    """
    error = state.result(raise_on_failure=False)
    lasting = TimeoutError | FileNotFoundError | PermissionError
    if isinstance(error, lasting) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return False
    return isinstance(error, TransferError | OSError)


PATIENT: dict[str, Any] = {
    "retries": 5,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_another_try,
}
