"""A clone of what is checked out here, for benchmarks that run stages."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def clone(params: str) -> Iterator[Path]:
    """Copy the checked-out files into a temporary clone whose ``params.yaml`` is `params`.

    Stages read ``dvc.yaml`` and their own code, and DVC needs a Git repository, so a stage runs in
    a clone and nowhere else.

    Yields
    ------
    folder : Path
        The clone's top folder, deleted at the end.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "clone"
        compiled = (ROOT / "components").rglob("*.nb[ic]")  # numba's, or it compiles anew
        for name in [*listed, *(str(path.relative_to(ROOT)) for path in compiled)]:
            source, target = ROOT / name, folder / name
            if source.is_file() or source.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        (folder / "params.yaml").write_text(params)
        who = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.org"]
        for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "clone"]):
            subprocess.run(["git", *command], cwd=folder, check=True)
        yield folder
