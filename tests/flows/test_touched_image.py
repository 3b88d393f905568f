"""What changed is made anew, and nothing else."""

import shutil
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(900)]


RUN = (sys.executable, "-m", "slimderm", "run")  # one process, where `dvc repro` starts fifteen


def test_a_touched_image_reruns_what_depends_on_it(made_workspace):
    workspace = made_workspace()
    own = workspace.folder / "own"
    shutil.copytree(workspace.folder / "data/source", own)
    params = workspace.folder / "params.yaml"
    text = params.read_text().replace("source: data/source,", "source: own,")
    params.write_text(text.replace("negatives: data/source/negatives", "negatives: own/negatives"))
    workspace.run(*RUN)
    image = sorted(own.rglob("*.jpg"))[0]
    other = sorted(own.rglob("*.jpg"))[1]
    image.chmod(0o644)
    image.write_bytes(image.read_bytes() + b"\\0")
    assert other.exists()
    done = workspace.run(*RUN)
    assert workspace.is_clean(done.stdout + done.stderr)
    ran = {line for line in done.stdout.splitlines() if line in workspace.stages()}
    assert {"ingest", "sweep", "compress", "train@lenet5", "prune@lenet5", "report"} <= ran
    assert "synthesize" not in ran
    assert "growth" not in ran
