"""A workspace: a copy of the repository with parameters so small that a run takes a minute."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

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
train: {epochs: 2, seed: 0}
evaluate: {bootstrap_samples: 100, latency_repeats: 3}
prune: {schedule: path, path: ["R1: 50%", "R1: 33%"], acceptance: relative,
        relative_tolerance: 0.9, relative_floor: 0.0}
studies: {}
record: {tracking_uri: "sqlite:///mlflow.db"}
"""


class Workspace:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = ("PATH", "LANG", "TMPDIR", "CI")
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}
        home = folder.parent / "home"
        home.mkdir(exist_ok=True)
        self.environment |= {
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PREFECT_HOME": str(home / "prefect"),
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

    def start(self, *command):
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

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

    def repro(self, *targets):
        """Run ``dvc repro``; return the stages that ran."""
        done = self.run("dvc", "repro", *targets)
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
        compiled = (ROOT / "components").rglob("*.nb[ic]")  # numba's, or each clone compiles anew
        for name in [*names, *(path.relative_to(ROOT) for path in compiled)]:
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        (folder / "params.yaml").write_text(params)
        registry = folder / "mlflow/registry.yaml"  # a dozen images can show nothing
        registry.write_text(registry.read_text().replace("margin: 0.05", "margin: 0.999"))
        workspace = Workspace(folder)
        workspace.run("git", "init", "-q")
        workspace.run("git", "add", "-A")
        workspace.run("git", "commit", "-qm", "clone")
        workspace.link_environment()
        return workspace

    return make


@pytest.fixture(scope="module")
def endpoint():
    """The address of an S3 endpoint that runs here."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            urllib.request.urlopen(address, timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield address
    server.terminate()
    server.wait()
