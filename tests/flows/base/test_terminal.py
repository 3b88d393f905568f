import os

import httpx
import pytest
import requests

from slimderm.flows.base import terminal
from slimderm.flows.base.terminal import command_line, console, printed_to, quiet_stderr


def test_quiet_stderr_silences_the_file_descriptor_and_gives_it_back(capfd):
    with quiet_stderr():
        os.write(2, b"from C++")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def connection_refused():
    try:
        httpx.get("http://user:secret@127.0.0.1:9")
    except httpx.ConnectError as error:
        raise RuntimeError(f"said http://user:secret@127.0.0.1:9: {error}") from error


def mlflow_refused():
    raise requests.exceptions.ConnectionError("HTTPConnectionPool: http://user:secret@host:1")


@pytest.mark.parametrize("ask", [connection_refused, mlflow_refused])
def test_a_server_that_does_not_answer_is_no_traceback(ask, capsys):
    with pytest.raises(SystemExit) as caught, command_line():
        ask()
    said = capsys.readouterr().out
    assert caught.value.code == 1
    assert "MLFLOW_TRACKING_URI" in said
    assert "`make doctor`" in said
    assert "secret" not in said


def test_a_fault_of_the_code_is_a_traceback():
    with pytest.raises(ZeroDivisionError), command_line():
        raise ZeroDivisionError


def test_lines_go_where_they_are_sent_and_progress_stays(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "PIPED_SECONDS", 0)
    lines: list[str] = []
    with printed_to(lines.append):
        console.print("sweep: 12 of 12 images, [bold]k[/] in", "[10, 20]", "word " * 60)
        with terminal.progress_bar("sweep", 2) as update:
            update(1)
            console.print("half\n\ndone")
    assert lines == [
        "sweep: 12 of 12 images, k in [10, 20] " + ("word " * 60).rstrip(),
        "half",
        "done",
    ]
    assert "sweep: 1 of 2" in capsys.readouterr().out
    console.print("afterwards")
    assert capsys.readouterr().out == "afterwards\n"
    assert len(lines) == 3
