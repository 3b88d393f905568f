"""The doctor finds what is wrong, and says what to do."""

import http.server
import threading
import time
from collections import namedtuple

import pytest

from slimderm.flows.record import dvc_repository
from slimderm.flows.servers import doctor


def test_what_is_installed_here_is_as_the_lock_names_it():
    assert doctor.python().ok
    assert doctor.pins().ok, doctor.pins().message


def test_a_package_of_another_version_and_a_missing_one_are_named(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "numpy==1.0.0 \\\n    --hash=sha256:00\nno-such-package==1.0\n"
        "only-elsewhere==1.0 ; sys_platform == 'atari'\n"
    )
    found = doctor.pins(lock)
    assert found.ok is False
    assert "numpy 2" in found.message
    assert "no-such-package nothing" in found.message
    assert "only-elsewhere" not in found.message
    assert "make setup" in found.message


def test_a_full_disk_is_ill(monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(0, 0, 1e9))
    assert doctor.disk().ok is False
    assert "1.0 GB free" in doctor.disk().message


def test_a_clock_that_was_set_back_is_ill(tmp_path, monkeypatch):
    (tmp_path / "dvc.lock").write_text("")
    assert doctor.clock(tmp_path).ok
    now = time.time()
    monkeypatch.setattr(doctor.time, "time", lambda: now - 3600)
    assert doctor.clock(tmp_path).ok is False


def test_a_server_that_is_named_wrongly_is_ill_not_a_traceback(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:port")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    found = {each.name: each for each in doctor.servers()}
    assert found["MLflow"].ok is False
    assert "does not answer" in found["MLflow"].message


def test_versions_are_left_alone_while_a_run_is_under_way(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with dvc_repository.writing():
        found = doctor.versions()
    assert (found.ok, found.message[:13]) == (None, "not checked w")


@pytest.fixture
def server():
    class Late(http.server.BaseHTTPRequestHandler):
        ahead = 0

        def date_time_string(self, timestamp=None):
            return super().date_time_string(time.time() + self.ahead)

        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Late) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Late, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_servers_answer_or_do_not_and_their_clock_is_compared(server, monkeypatch):
    handler, address = server
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    found = {each.name: each for each in doctor.servers()}
    assert found["MLflow"].ok
    assert found["Prefect"].ok is False
    assert "make up" in found["Prefect"].message
    assert "clock" not in found
    handler.ahead = 120
    found = {each.name: each for each in doctor.servers()}
    assert found["clock"].ok is False
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert next(doctor.servers()).ok is None
