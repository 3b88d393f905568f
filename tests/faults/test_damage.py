"""Full disks, damaged files, two runs at once, a clock set back: a clear error or no harm."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(1800)]

REPRO = (sys.executable, "-m", "slimderm", "run")  # one process, not 15 as `dvc repro`
PIPELINE = (sys.executable, "-m", "slimderm", "flow")


@pytest.fixture(scope="module")
def made(made_workspace, soak):
    """A clone in which everything is up to date."""
    return made_workspace(soak)


def is_clear(done):
    """Whether a run failed with a message and no traceback."""
    said = done.stdout + done.stderr
    told = "Error: " in said or "ERROR: " in said  # ours or DVC's
    return done.returncode != 0 and "Traceback" not in said and told


def version_of(workspace, path):
    """Where DVC's cache keeps an output: a file, or the list of a folder's files."""
    stages = yaml.safe_load((workspace.folder / "dvc.lock").read_text())["stages"]
    outs = {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}
    md5 = outs[path]
    return workspace.folder / ".dvc/cache/files/md5" / md5[:2] / md5[2:]


def overwrite(path, *, keep_time):
    """Damage a file; with its time kept, as a failing disk does."""
    before = path.stat()
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :][:8] = b"\0" * 8
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_full_disk_is_said_and_costs_nothing_finished(
    make_workspace, soak, undisturbed, tmp_path, outcome
):
    room = tmp_path / "small"
    room.mkdir()
    workspace = make_workspace(soak)
    files = (path.lstat().st_size for path in workspace.folder.rglob("*"))
    size = sum(-(-size // 4096) for size in files) // 256 + 2  # MB: the clone in pages, and a bit
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "none", str(room)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted: run as root")
    try:
        shutil.copytree(workspace.folder, room / "clone", symlinks=True)
        workspace.folder = room / "clone"
        full = 0
        while (done := workspace.run(*REPRO, check=False)).returncode:
            full += 1
            assert is_clear(done), done.stdout + done.stderr
            assert "o space left" in done.stdout + done.stderr
            size *= 2
            larger = ["mount", "-o", f"remount,size={size}m", str(room)]
            subprocess.run(larger, check=True)
        assert full
        workspace.check(undisturbed)
    finally:
        subprocess.run(["umount", "--lazy", str(room)], check=True)
    outcome(
        "disk full, a file system that is made twice as large after each failure",
        f"failed {full} times with a message, then ended with the undisturbed tables",
    )


@pytest.mark.parametrize("keep_time", [False, True], ids=["overwritten", "bit rot"])
def test_a_damaged_data_version_is_noticed_and_made_anew(made, undisturbed, keep_time, outcome):
    table = version_of(made, "data/splits.csv")
    overwrite(table, keep_time=keep_time)
    (made.folder / "data/splits.csv").unlink()
    doctor = made.run("python", "-m", "slimderm", "doctor", check=False)
    assert "1 of " in doctor.stdout
    assert "damaged" in doctor.stdout
    assert not table.exists()
    made.run(*REPRO)
    made.check(undisturbed)
    kind = "bit rot, time and size kept" if keep_time else "overwritten"
    outcome(
        f"a version in DVC's cache {kind}",
        "`make doctor` named it and set it aside; the next run made it anew, same tables",
    )


ROUTES = {"dvc": ("dvc", "repro", "--force", "--single-item", "train@lenet5"), "flow": PIPELINE}


@pytest.mark.parametrize("route", ROUTES)
def test_a_damaged_table_never_becomes_a_number(made, undisturbed, route, outcome):
    overwrite(made.folder / "data/splits.csv", keep_time=True)
    assert made.run("dvc", "status").stdout.strip() == "Data and pipelines are up to date."
    shutil.rmtree(made.folder / "models/lenet5/baseline")  # so the flow has something to run
    refused = made.run(*ROUTES[route], check=False)
    assert refused.returncode
    assert "data/splits.csv: received " in refused.stdout + refused.stderr
    assert not (made.folder / "models/lenet5/baseline").exists()
    made.run("python", "-m", "slimderm", "doctor", check=False)
    made.run(*REPRO)
    made.check(undisturbed)
    outcome(
        f"data/splits.csv damaged, time and size kept, then `{route}`",
        "the step that reads it names it and does not run; made anew, same tables",
    )


def test_a_damaged_image_never_becomes_a_number(made, undisturbed, outcome):
    image = sorted((made.folder / "data/raw/images").iterdir())[0]
    overwrite(image, keep_time=True)
    refused = made.run("dvc", "repro", "--force", "--single-item", "sweep", check=False)
    assert is_clear(refused)
    assert image.name in refused.stdout + refused.stderr
    made.run("python", "-m", "slimderm", "doctor", check=False)
    shutil.rmtree(made.folder / "data/raw")
    made.run(*REPRO)
    made.check(undisturbed)
    outcome(
        "an image of data/raw damaged, time and size kept",
        "the step that reads it names it and fails; made anew, same tables",
    )


@pytest.mark.parametrize(
    ("runs", "name", "remedy"),
    [("file", "model.tflite", "make review"), ("keras", "model.keras", "make backfill")],
)
def test_a_cut_model_is_not_served(made, runs, name, remedy, outcome):
    image = sorted((made.folder / "data/raw/images").iterdir())[0]
    predict = ["python", "-m", "slimderm", "predict", str(image)]
    models = list((made.folder / "mlartifacts").rglob(name))
    assert models
    whole = {path: path.read_bytes() for path in models}
    for path, data in whole.items():
        path.write_bytes(data[: len(data) // 2])
    refused = made.run(*predict, check=False, SERVE_RUNS=runs)
    for path, data in whole.items():
        path.write_bytes(data)
    assert is_clear(refused), refused.stdout + refused.stderr
    assert remedy in refused.stdout
    made.run(*predict, SERVE_RUNS=runs)
    outcome(f"{name} of a registered version cut in half", "a clear error, nothing predicted")


def test_cut_work_in_the_cache_is_done_again(made, undisturbed, outcome):
    models = list((made.folder / ".cache/slimderm").rglob("model.keras"))
    for path in models:
        path.write_bytes(path.read_bytes()[:1000])
    made.run("dvc", "repro", "--force", "--single-item", "prune@lenet5")
    made.run(*REPRO)
    made.check(undisturbed)
    outcome("every finished training in the cache cut short", "trained again, same tables")


@pytest.mark.parametrize("route", [("dvc", "repro"), PIPELINE], ids=["dvc", "flow"])
def test_a_cut_dvc_lock_is_a_clear_error(made, undisturbed, route, outcome):
    lock = made.folder / "dvc.lock"
    whole = lock.read_text()
    lock.write_text(whole[: len(whole) // 2] + "\n}")
    refused = made.run(*route, check=False)
    assert refused.returncode
    assert "dvc.lock" in refused.stdout + refused.stderr
    lock.write_text(whole)
    made.check(undisturbed)
    outcome(
        f"dvc.lock damaged, then `{route[-1]}`",
        "names dvc.lock and ends",
    )


def test_a_dvc_lock_cut_where_it_still_reads_is_completed(made, undisturbed, outcome):
    lock = made.folder / "dvc.lock"
    lines = lock.read_text().splitlines(keepends=True)
    complete = [
        number
        for number in range(1, len(lines))
        if lines[number].startswith("    - path:") and not lines[number - 1].endswith("s:\n")
    ]  # each ends an entry of a stage's list that is not the list's first
    cut = min(complete, key=lambda number: abs(number - len(lines) // 2))
    lock.write_text("".join(lines[:cut]))
    made.run(*REPRO)
    made.check(undisturbed)
    outcome(
        "dvc.lock cut in half where it still reads", "the rest is found in the cache, same tables"
    )


def test_two_pipelines_at_once_take_turns(made, undisturbed, outcome):
    (made.folder / "dvc.lock").unlink()  # so every stage runs, and finds what is finished
    with made.start(*PIPELINE) as first, made.start(*PIPELINE) as second:
        said = [process.communicate()[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    waited = [text for text in said if "another run is under way" in text]
    assert len(waited) == 1
    made.check(undisturbed)
    ran = [line for text in said for line in text.splitlines() if line.startswith("pipeline: ")]
    assert sorted(line.count(",") for line in ran) == [0, len(made.stages()) - 1]
    assert "pipeline: nothing was stale" in ran
    outcome(
        "dvc.lock deleted, then two pipelines at once",
        "the second waits, then finds nothing stale; finished work is found, same tables",
    )


def test_a_clock_set_back_changes_nothing(made, undisturbed, outcome):
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed: apt-get install faketime")
    shutil.rmtree(made.folder / ".cache")
    again = ("dvc", "repro", "--force", "--downstream", "train@lenet5")
    made.run("faketime", "-f", "-3d", *again, FAKETIME_DONT_FAKE_MONOTONIC="1")
    made.check(undisturbed)
    outcome(
        "clock set back three days before training", "the undisturbed tables, `dvc status` clean"
    )
