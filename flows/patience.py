"""Waiting for Prefect's server where it does not answer, instead of failing a run of hours."""

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import httpx
from prefect import get_run_logger
from prefect.exceptions import PrefectHTTPStatusError

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
