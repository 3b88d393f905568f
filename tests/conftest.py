"""What tests share: a copy of the repository with tiny parameters, and servers to run it on."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import hypothesis
import pandas as pd
import pytest
import yaml

# A busy machine is no fault of an example.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

ROOT = Path(__file__).parents[1]

TINY = """\
networks: [lenet5]
synthetic: {num_lesions: 60, num_negatives: 12, height: 60, width: 80, seed: 1}
ingest: {source: data/source, negatives: data/source/negatives}
split: {seed: 0}
compress: {ranks: [10, 20, 40, 60], codec: jpeg, quality: 95}
quality: {changed_threshold: 5}
sweep: {chunk_size: 16}
storage: {max_images: 3, qualities: {jpeg: [60, 95], avif: [50, 80], png: [100]}}
choose: {rule: stabilisation}
resize: {size: [32, 24], sizes: [[32, 24], [16, 40]], max_images: 5}
train: {epochs: 2, seed: 0, precision: float32}
evaluate: {bootstrap_samples: 100, latency_repeats: 3, permutations: 1, ablation: false}
prune: {schedule: path, path: ["R1: 50%", "R1: 33%"], acceptance: relative,
        relative_tolerance: 0.9, relative_floor: 0.0}
studies: {}
slim: {}
record: {tracking_uri: "sqlite:///mlflow.db", experiment: slimderm}
"""


SECRET = uuid.uuid4().hex  # of this run alone, so that no source holds it
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


# Seven seconds of compiling, which every process of every fresh clone would do for itself.
COMPILE = """\
import numpy as np
from slimderm.components.compression import codecs
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.images import decode_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.settings import QualitySettings
image = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
image = decode_image(codecs.get("jpeg").encode(image, 95))
for _, truncated in decompose(image).truncations([8, 16]):
    Reference(image, QualitySettings()).compare(truncated)
"""


def compiled():
    """The files that numba has compiled here, at least one."""
    if not any((ROOT / "components").rglob("*.nbi")):
        subprocess.run([sys.executable, "-c", COMPILE], cwd=ROOT, check=True)
    return [path.relative_to(ROOT) for path in (ROOT / "components").rglob("*.nb[ic]")]


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def until(condition, seconds=60, pause=0.1):
    """Wait for a condition; OSError counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if condition():
                return
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s")


class Workspace:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output = ""  # of the run that made it, where one did
        kept = ("PATH", "LANG", "TMPDIR", "CI")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        home = folder.parent / "home"
        home.mkdir(exist_ok=True)
        self.environment |= {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PREFECT_HOME": str(home / "prefect"),
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # as the Makefile has them
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@example.org",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@example.org",
        }

    def run(self, *command, check=True, **more):
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment | more,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{command} ended with {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done

    def start(self, *command, stdout=subprocess.PIPE):
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @staticmethod
    def is_clean(output):
        """Whether output holds neither a traceback nor a library's warning."""
        return not [word for word in ("Traceback", "Warning", "WARNING", "absl") if word in output]

    def link_environment(self):
        """Let `make` find the environment that is installed beside the repository."""
        if (ROOT / ".venv").exists():
            (self.folder / ".venv").symlink_to(ROOT / ".venv")
            shutil.copystat(ROOT / "requirements.lock", self.folder / "requirements.lock")

    @staticmethod
    def commands(page, prompt="$"):
        """The commands that a page of docs/ shows at a prompt."""
        lines = (ROOT / "docs" / page).read_text().splitlines()
        return [line.removeprefix(f"{prompt} ") for line in lines if line.startswith(f"{prompt} ")]

    def follow(self, page, prompt="$", start=0, stop=None):
        """Run commands that a page shows; return what each said."""
        chosen = self.commands(page, prompt)[start:stop]
        return [self.run("bash", "-c", command).stdout for command in chosen]

    def tables(self):
        """The tables of the report without what differs from run to run: times."""
        tables = {}
        for path in sorted((self.folder / "reports" / "tables").glob("*.csv")):
            frame = pd.read_csv(path)
            timed = ("seconds", "latency", "code_ms")
            tables[path.name] = frame[[c for c in frame if not any(word in c for word in timed)]]
        return tables

    def check(self, undisturbed):
        """Assert that the tables are those of an undisturbed run, and that nothing is stale."""
        tables = self.tables()
        assert tables.keys() == undisturbed.keys()
        for name, frame in undisturbed.items():
            pd.testing.assert_frame_equal(tables[name], frame)
        status = self.run("dvc", "status").stdout.strip()
        assert status == "Data and pipelines are up to date."

    def ask(self, path, body=None):
        """Ask Prefect's server."""
        request = urllib.request.Request(
            f"{self.environment['PREFECT_API_URL']}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        return json.load(urllib.request.urlopen(request, timeout=30))

    def stages(self):
        """The stages of ``dvc.lock``."""
        return list(yaml.safe_load((self.folder / "dvc.lock").read_text())["stages"])

    def repro(self, *targets):
        """Run ``dvc repro``; return the stages that ran."""
        return self.ran(self.run("dvc", "repro", *targets))

    @staticmethod
    def ran(done):
        """The stages that ``dvc repro`` ran."""
        marks = [line for line in done.stdout.splitlines() if line.startswith("Running stage")]
        return [line.split("'")[1] for line in marks]


@pytest.fixture(scope="session")
def tiny():
    return TINY


@pytest.fixture(scope="session")
def make_workspace(tmp_path_factory):
    def make(params: str = TINY) -> Workspace:
        folder = tmp_path_factory.mktemp("workspace") / "clone"
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        for name in [*names, *compiled()]:
            if (ROOT / name).is_file() or (ROOT / name).is_symlink():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
        (folder / "params.yaml").write_text(params)
        registry = folder / "mlflow/registry.yaml"  # a dozen images can show nothing
        policy = re.sub(r"margin: 0\.\d+", "margin: 0.999", registry.read_text())
        policy = policy.replace("confidence: 0.95", "confidence: 0.51")
        registry.write_text(re.sub(r"targets: .*", "targets: [litert-int8]", policy))  # the fastest
        workspace = Workspace(folder)
        workspace.run("git", "init", "-q")
        workspace.run("git", "add", "-A")
        workspace.run("git", "commit", "-qm", "clone")
        workspace.link_environment()
        return workspace

    return make


@pytest.fixture(scope="session")
def made_workspace(make_workspace, tmp_path_factory):
    """Makes copies of a clone in which everything is up to date.

    The pipeline of the same parameters runs once, whichever process asks first.
    """
    base = tmp_path_factory.getbasetemp()
    common = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(params: str = TINY) -> Workspace:
        note = common / f"made-{hashlib.sha256(params.encode()).hexdigest()[:12]}"
        with note.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not note.exists():
                first = make_workspace(params)
                done = first.run(sys.executable, "-m", "slimderm", "run")
                note.write_text(json.dumps([str(first.folder), done.stdout + done.stderr]))
        place, output = json.loads(note.read_text())
        folder = tmp_path_factory.mktemp("workspace") / "clone"
        # With the hard links between data and DVC's cache, and the times by which both know files.
        subprocess.run(["cp", "-a", place, folder], check=True)
        workspace = Workspace(folder)
        workspace.output = output
        return workspace

    return make


class Postgres:
    """A PostgreSQL server with the databases mlflow and prefect."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs, self.port = folder, programs, unused_port()
        self.who = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        if self.who:
            shutil.chown(folder, **self.who)
        (folder / "password").write_text(SECRET)
        (folder / "password").chmod(0o644)
        options = ["--auth", "scram-sha-256", "-U", "slimderm", "--pwfile", folder / "password"]
        command = [programs / "initdb", "-D", folder / "data", *options]
        subprocess.run(command, check=True, cwd=folder, **self.who, **QUIET)

    def start(self):
        command = [self.programs / "postgres", "-D", self.folder / "data", "-p", self.port]
        command += ["-k", self.folder, "-h", "127.0.0.1"]
        self.process = subprocess.Popen(command, cwd=self.folder, **self.who, **QUIET)
        asked = [self.programs / "pg_isready", "-h", "127.0.0.1", "-p", self.port]
        until(lambda: subprocess.run(asked, check=False, **QUIET).returncode == 0)

    def create(self, *names):
        psql = [self.programs / "psql", "-h", "127.0.0.1", "-p", self.port, "-U", "slimderm"]
        password = {**os.environ, "PGPASSWORD": SECRET}
        for name in names:
            command = [*psql, "-d", "postgres", "-c", f"create database {name}"]
            subprocess.run(command, check=True, env=password, **QUIET)

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # at once, not when the last client has gone
        self.process.wait()

    def environment(self):
        """Both servers' own variables."""
        who = f"slimderm@127.0.0.1:{self.port}"
        return {
            "MLFLOW_BACKEND_STORE_URI": f"postgresql://{who}/mlflow",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{who}/prefect",
            "PGPASSWORD": SECRET,
        }


@pytest.fixture(scope="module")
def postgres():
    """A PostgreSQL server that runs here."""
    found = [*Path("/usr/lib/postgresql").glob("*/bin"), Path(shutil.which("initdb") or "/").parent]
    programs = next((folder for folder in found if (folder / "initdb").exists()), None)
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="slimderm-pg-"))
    server = Postgres(folder, programs)
    server.start()
    server.create("mlflow", "prefect")
    yield server
    server.stop()
    shutil.rmtree(folder)


class Store:
    """An S3 endpoint behind a door: closed, it refuses connections, and keeps what it holds.

    It answers what stores other than Amazon's refuse, and notes it.
    """

    REFUSED = ("x-amz-sdk-checksum-algorithm", "x-amz-trailer", "content-encoding: aws-chunked")

    def __init__(self) -> None:
        self.refused_headers: set[str] = set()
        self.inside, self.port = unused_port(), unused_port()
        command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1"]
        self.process = subprocess.Popen([*command, "-p", self.inside], **QUIET)
        until(lambda: socket.create_connection(("127.0.0.1", int(self.inside)), 1).close() or True)
        self.open: set[socket.socket] = set()

    def start(self):
        self.door = socket.create_server(("127.0.0.1", int(self.port)), reuse_port=True)
        threading.Thread(target=self._serve, args=(self.door,), daemon=True).start()

    def stop(self):
        self.door.shutdown(socket.SHUT_RDWR)
        self.door.close()
        for connection in tuple(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, door):
        with contextlib.suppress(OSError):  # the door was closed
            while True:
                outer, _ = door.accept()
                inner = socket.create_connection(("127.0.0.1", int(self.inside)))
                threading.Thread(target=self._join, args=(outer, inner), daemon=True).start()

    def _join(self, outer, inner):
        with outer, inner:
            self.open |= {outer, inner}
            back = threading.Thread(target=self._pass, args=(inner, outer), daemon=True)
            back.start()
            self._pass(outer, inner, note=self._note)
            back.join()
            self.open -= {outer, inner}

    def _note(self, text):
        lines = text.lower()
        self.refused_headers |= {each for each in self.REFUSED if f"\r\n{each}".encode() in lines}

    @staticmethod
    def _pass(source, target, note=None):
        before = b""
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if note:
                    before = before[-100:] + data  # a header may come in pieces
                    note(before)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def environment(self):
        """What finds it, and where MLflow keeps artifacts in it."""
        return {
            "MLFLOW_ARTIFACTS_DESTINATION": "s3://lesions/artifacts",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@pytest.fixture(scope="module")
def store():
    """An S3 endpoint that runs here."""
    server = Store()
    server.start()
    yield server
    server.stop()
    server.process.terminate()
    server.process.wait()


@pytest.fixture(scope="module")
def endpoint(store):
    """The address of an S3 endpoint that runs here."""
    return store.environment()["AWS_ENDPOINT_URL"]


@pytest.fixture(scope="session")
def secret():
    """What servers take for a password here."""
    return SECRET


@pytest.fixture(scope="session")
def free_port():
    """Gives a port that nothing listens on."""
    return unused_port


@pytest.fixture(scope="session")
def wait_until():
    """Waits for a condition; OSError counts as not yet."""
    return until


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that may take longest come first, so that none of them is left to one process.

    Of those that need the same clone one makes it; the others come later and do not wait for it.
    """

    def limit(item: pytest.Item) -> int:
        mark = item.get_closest_marker("timeout")
        return mark.args[0] if mark else 0

    items.sort(key=limit, reverse=True)
    needing = [item for item in items if "made_workspace" in getattr(item, "fixturenames", ())]
    later = [item for item in needing if item.path != needing[0].path]
    others = [item for item in items if item not in later]
    place = len(others) // 4
    items[:] = [*others[:place], *later, *others[place:]]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Under CI a skipped test is a failure: whatever a test needs, CI installs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if os.environ.get("CI") and skipped:
        names = "\n".join(report.nodeid for report in skipped)
        reporter.write_line(f"\nskipped, which is a failure under CI:\n{names}", red=True)
        if exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
