"""Retries: of requests to Prefect's server, and of tasks that failed by a network or a disk."""

import errno
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import httpx
import tenacity
from prefect import get_run_logger
from prefect.exceptions import PrefectHTTPStatusError
from prefect.tasks import exponential_backoff

from slimderm.components.common.errors import TransferError

WAIT_SECONDS = 3600
PAUSE_SECONDS = 5
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def ask_prefect(
    request: Callable[Arguments, Answer], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Answer:
    """Call a function that needs Prefect's server; try again if the server does not answer.

    Parameters
    ----------
    request : callable
        Called with the other arguments, every `PAUSE_SECONDS` for at most `WAIT_SECONDS`.

    Raises
    ------
    httpx.TransportError, PrefectHTTPStatusError
        The last error; at once where the request is at fault (HTTP status below 500).
    """
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_unanswered),
        wait=tenacity.wait_fixed(PAUSE_SECONDS),
        stop=tenacity.stop_after_delay(WAIT_SECONDS),
        before_sleep=_warn_once,
        reraise=True,
    )
    return retrying(request, *args, **kwargs)


def _is_unanswered(error: BaseException) -> bool:
    if isinstance(error, PrefectHTTPStatusError):
        return bool(error.response.status_code >= 500)
    return isinstance(error, httpx.TransportError)


def _warn_once(state: tenacity.RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        error = state.outcome.exception()
        get_run_logger().warning("Prefect's server does not answer; waiting (%r)", error)


def is_worth_another_try(_task: Any, _run: Any, state: Any) -> bool:
    """Return whether a task failed because of a connection or a disk, so that a retry may help.

    A connection that timed out is a `TransferError`; any other `TimeoutError` is Prefect's own and
    would only run out again. A missing file, a missing right and a full disk stay as they are.
    """
    error = state.result(raise_on_failure=False)
    lasting = TimeoutError | FileNotFoundError | PermissionError
    if isinstance(error, lasting) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
        return False
    return isinstance(error, TransferError | OSError)


RETRIES: dict[str, Any] = {
    "retries": 5,
    "retry_delay_seconds": exponential_backoff(backoff_factor=2),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_worth_another_try,
}
