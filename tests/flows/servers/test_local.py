"""`make up`, `status` and `down` know a server by how it was started, whatever is set now."""

import json
import os
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from slimderm.components.common.errors import SlimDermError
from slimderm.flows.base.code import ROOT
from slimderm.flows.base.credentials import CREDENTIALS
from slimderm.flows.config import layout
from slimderm.flows.servers import doctor
from slimderm.flows.servers import local as servers
from slimderm.flows.servers.service import Service, answers

# They outlive the object that started them, as under `make up`.
pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
SLEEP = "import time; print('up', flush=True); time.sleep(600)"


def service(port, *, before=""):
    command = [sys.executable, "-c", before + SLEEP, "--port", port]
    return Service("mlflow", command, page=f"http://127.0.0.1:{port}")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A clone with nothing but its servers' folder; what a test starts ends with it."""
    monkeypatch.chdir(tmp_path)
    layout.SERVERS.mkdir()
    yield
    started = service("").running()
    if started is not None:
        os.killpg(started.pid, signal.SIGKILL)


def test_a_server_is_found_and_stopped_after_the_variables_have_changed(capsys, monkeypatch):
    service("5000").start(os.environ)
    changed = service("6000")
    pid = changed.running().pid
    monkeypatch.setattr(servers, "servers", lambda: [changed])
    monkeypatch.setattr(servers, "workers", lambda: [])
    servers.status()
    assert capsys.readouterr().out.split() == ["mlflow", "runs", "http://127.0.0.1:5000"]
    servers.down()
    assert capsys.readouterr().out == "mlflow: stopped\n"
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    servers.down()
    assert capsys.readouterr().out == "mlflow: was not running\n"


def test_starting_again_changes_nothing_and_with_other_settings_is_an_error():
    service("5000").start(os.environ)
    pid = service("5000").running().pid
    service("5000").start(os.environ)
    assert service("5000").running().pid == pid
    with pytest.raises(SlimDermError, match=r"--port 5000.*`make down`, then `make up`"):
        service("6000").start(os.environ)
    assert service("6000").running().pid == pid


def test_credentials_that_come_after_the_start_are_told_of():
    known = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    service("5000").start(known)
    service("5000").start(known)
    late = known | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hidden"}
    with pytest.raises(SlimDermError, match=r"AWS_ACCESS_KEY_ID.*`make down`, then `make up`"):
        service("5000").start(late)
    service("5000").stop()
    service("5000").start(late)
    service("5000").start(late)
    assert "hidden" not in service("5000").kept.read_text()


def test_each_clone_has_its_own_database_of_prefect(tmp_path, monkeypatch):
    name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    found = []
    for clone in ("one", "two"):
        (tmp_path / clone).mkdir()
        monkeypatch.chdir(tmp_path / clone)
        shutil.copy(ROOT / "params.yaml", "params.yaml")
        found.append(servers.environment()[name])
    assert found == [
        f"sqlite+aiosqlite:///{tmp_path}/{clone}/prefect.db" for clone in ("one", "two")
    ]


def test_a_database_that_is_named_is_used(monkeypatch):
    name, address = "PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://a@b/prefect"
    script = "from slimderm.flows.servers.local import environment; print(environment().get(NAME))"
    code = script.replace("NAME", repr(name))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, name: address},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [address]


def test_what_does_not_end_when_asked_is_killed_and_known_until_then(wait_until):
    stubborn = service("5000", before=STUBBORN)
    stubborn.start(os.environ)
    wait_until(lambda: "up" in stubborn.log.read_text())
    assert not stubborn._ends(0.3)
    assert stubborn.stop(seconds=1)
    assert stubborn.running() is None
    assert not stubborn.kept.exists()


def test_a_process_that_took_the_number_over_is_left_alone():
    service("5000").start(os.environ)
    kept = service("5000").kept
    known = json.loads(kept.read_text())
    with subprocess.Popen([sys.executable, "-c", SLEEP], stdout=subprocess.DEVNULL) as other:
        kept.write_text(json.dumps(known | {"pid": other.pid, "born": known["born"] - 60}))
        assert not service("5000").stop()
        assert other.poll() is None
        other.kill()
    os.killpg(known["pid"], signal.SIGKILL)


def test_a_server_is_known_after_the_clock_was_set(monkeypatch):
    service("5000").start(os.environ)
    moved = {"create_time": psutil.Process.create_time, "boot_time": psutil.boot_time}
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: moved["create_time"](self) - 90)
    monkeypatch.setattr(psutil, "boot_time", lambda: moved["boot_time"]() - 90)
    assert service("5000").running() is not None


@pytest.mark.parametrize("text", ["", "123", "{}", '{"pid": "x"}', '{"unknown": 1}'])
def test_a_file_that_says_nothing_is_as_good_as_none(text):
    service("5000").kept.write_text(text)
    assert service("5000").running() is None


def test_a_pool_that_nobody_knows_is_named():
    with pytest.raises(SlimDermError, match=r"received tpu, expected some of cpu, gpu"):
        servers.up("cpu", "tpu")


@pytest.mark.parametrize(("gpus", "starts"), [("0", False), ("1", True)])
def test_an_agent_whose_gpu_nobody_sees_is_refused(monkeypatch, gpus, starts):
    began = []
    monkeypatch.setattr(os, "execv", lambda program, command: began.append(command))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    monkeypatch.setattr(doctor.shutil, "which", lambda _: "nvidia-smi")
    counted = subprocess.CompletedProcess([], 0, stdout=f"{gpus}\n")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: counted)
    if starts:
        servers.agent()
        (command,) = began
        assert command[command.index("--name") + 1] == f"gpu-{os.uname().nodename}-1"
    else:
        with pytest.raises(SlimDermError, match="make setup CUDA=tensorflow"):
            servers.agent()
        assert not began


# A program that answers every request, as a server of another clone or another program does.
ANSWER = """\
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[-1])), Answer).serve_forever()
"""


def server(port, code=ANSWER):
    address = f"http://127.0.0.1:{port}"
    return Service("mlflow", [sys.executable, "-c", code, port], f"{address}/health", address)


@pytest.fixture
def foreign(free_port, wait_until):
    """The port of a program that answers, and that nobody here started."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", ANSWER, port]) as other:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"))
        yield port
        assert other.poll() is None
        other.kill()


def test_up_beside_a_foreign_server_refuses_its_port_and_writes_nothing(foreign, monkeypatch):
    monkeypatch.setattr(servers, "servers", lambda: [server(foreign), server(foreign)])
    layout.SERVERS.rmdir()
    with pytest.raises(SlimDermError, match=rf"received port {foreign} .* set MLFLOW_PORT"):
        servers.up()
    assert not any(layout.SERVERS.parent.iterdir())
    layout.SERVERS.mkdir()


def test_a_server_whose_port_another_took_first_is_not_up(foreign, monkeypatch):
    late = server(foreign)  # ends, because it cannot listen
    late.start(os.environ)
    with pytest.raises(SlimDermError, match=r"mlflow does not answer .* see \.servers/mlflow.log"):
        late.wait(20)
    silent = server(foreign, SLEEP)  # runs, and leaves its port to the other
    silent.start(os.environ)
    monkeypatch.setattr(servers, "servers", lambda: [silent])
    monkeypatch.setattr(servers, "workers", lambda: [])
    assert [state for _, state, _ in servers.states()] == ["does not answer"]
    with pytest.raises(SlimDermError, match="mlflow does not answer"):
        silent.wait(1)


def test_a_server_of_ours_answers_also_by_a_process_that_it_started(free_port):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', CODE, sys.argv[-1]])"
    parent = server(free_port(), f"CODE = {ANSWER!r}\n{code}")
    parent.check_port()
    parent.start(os.environ)
    parent.wait(20)
    parent.check_port()  # held by ourselves


def test_a_copied_clone_leaves_its_originals_servers_alone(tmp_path, monkeypatch):
    service("5000").start(os.environ)
    pid = service("5000").running().pid
    shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    monkeypatch.chdir(tmp_path.with_name("copy"))
    assert not service("5000").stop()
    monkeypatch.chdir(tmp_path)
    assert service("5000").running().pid == pid
