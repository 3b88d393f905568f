"""Waiting for Prefect's server and trying again: only where that helps, and not for ever."""

import errno

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError
from prefect.logging import disable_run_logger
from prefect.states import Failed
from prefect.task_engine import TaskRunTimeoutError

from slimderm.components.common.errors import ImageError, RecordError, TransferError
from slimderm.flows.base import retry


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(retry, "PAUSE_SECONDS", 0)
    with disable_run_logger():
        yield


def status(code):
    request = httpx.Request("GET", "http://server")
    response = httpx.Response(code, request=request)
    return PrefectHTTPStatusError("said", request=request, response=response)


@pytest.mark.parametrize("error", [httpx.ConnectError("away"), status(500), status(503)])
def test_a_server_that_comes_back_is_asked_again(error):
    asked = []

    def ask(question, *, more):
        asked.append((question, more))
        if len(asked) < 3:
            raise error
        return "answer"

    assert retry.ask_prefect(ask, 1, more=2) == "answer"
    assert asked == [(1, 2)] * 3


def test_a_question_at_fault_is_asked_once():
    asked = []

    def ask():
        asked.append(1)
        raise status(404)

    with pytest.raises(PrefectHTTPStatusError):
        retry.ask_prefect(ask)
    assert asked == [1]


def test_a_server_that_stays_away_ends_the_wait(monkeypatch):
    monkeypatch.setattr(retry, "WAIT_SECONDS", -1)

    def ask():
        raise httpx.ConnectError("away")

    with pytest.raises(httpx.ConnectError):
        retry.ask_prefect(ask)


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (TransferError("the store is away"), True),
        (ConnectionResetError(), True),
        (OSError("input/output error"), True),
        (OSError(errno.ENOSPC, "no space left on device"), False),
        (FileNotFoundError("no such file"), False),
        (PermissionError("not yours"), False),
        (TaskRunTimeoutError("6 h"), False),
        (RecordError("no such remote"), False),
        (ImageError("not an image"), False),
        (ZeroDivisionError(), False),
    ],
)
def test_only_connections_and_disks_are_worth_another_try(error, again):
    assert retry.is_worth_another_try(None, None, Failed(data=error)) is again
