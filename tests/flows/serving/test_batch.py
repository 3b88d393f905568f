"""A folder classified by processes side by side: order, progress, what an interruption leaves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import ParameterError, SchemaError, WorkerError
from slimderm.components.common.workers import map_ahead, process_pool
from slimderm.flows.base import terminal
from slimderm.flows.serving.batch import classify, images_of, predict_folder, write_rows
from slimderm.flows.serving.people import people_of
from slimderm.flows.serving.preparing import prepare_all

CLASSES = ["dark", "bright"]
DESCRIPTION = {"variant": "original", "size": [4, 5], "classes": CLASSES, "image_only": True}


class Brightness:
    """A model that can be checked by hand: the second class's probability is the brightness."""

    def predict(self, inputs, verbose):
        return self.predict_on_batch(inputs)

    def predict_on_batch(self, inputs):
        bright = inputs["image"].mean(axis=(1, 2, 3)) / 255
        return np.stack([1 - bright, bright], axis=1)


@pytest.fixture
def photos(tmp_path):
    """Forty images of one grey each, some faulty, in a folder whose name has a blank."""
    folder = tmp_path / "my photos"
    (folder / "deep down").mkdir(parents=True)
    for index in range(40):
        name = f"deep down/{index:02d}.png" if index % 2 else f"{index:02d} a.png"
        Image.new("RGB", (10, 8), (6 * index,) * 3).save(folder / name)
    (folder / "07 broken.png").write_bytes(b"no image")
    (folder / "39 lost.png").symlink_to(folder / "nowhere")
    return folder


def test_every_image_gets_its_own_row_in_order_whoever_prepared_it(photos):
    files = images_of(str(photos))
    found = prepare_all(files, DESCRIPTION, workers=2)
    classifier = Classifier(Brightness(), DESCRIPTION, 1.0)
    rows = list(classify(found, people_of(files, None, classifier), classifier))
    assert [row["file"] for row in rows] == [str(file) for file in files] == sorted(map(str, files))
    faulty = {Path(row["file"]).name for row in rows if row["error"]}
    assert faulty == {"07 broken.png", "39 lost.png"}
    for row in rows:
        if not row["error"]:
            grey = 6 * int(row["image_id"][:2])
            assert row["bright"] == pytest.approx(grey / 255, abs=1e-6)
            assert row["predicted"] == ("bright" if grey > 127 else "dark")


ENCODER = {
    "age_mean": 50.0,
    "age_std": 10.0,
    "sexes": ["female", "male", "unknown"],
    "localizations": ["back", "unknown"],
}
SEEING = Classifier(None, DESCRIPTION | {"image_only": False, "encoder": ENCODER})
FILES = [Path("deep/b.png"), Path("a.png"), Path("c.png")]


def test_people_are_read_in_the_order_of_the_files_and_what_is_not_given_is_unknown(tmp_path):
    table = tmp_path / "people.csv"
    table.write_text("image_id,sex,age\na,male,50\nb,,\nelsewhere,m,\n")
    people = people_of(FILES, table, SEEING)
    assert people["sex"].tolist() == ["unknown", "male", "unknown"]
    assert people["localization"].tolist() == ["unknown"] * 3
    assert people["age"].fillna(-1).tolist() == [-1, 50, -1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,m,50", "a, sex: received 'm', expected one of female, male"),
        ("a,male,130", "a, age: received 130.0, expected years from 0 to 120"),
        ("a,male,old", "received age 'old' of 'a', expected years"),
    ],
)
def test_a_word_or_age_that_the_model_does_not_know_is_refused_with_file_and_image(
    tmp_path, row, said
):
    table = tmp_path / "people.csv"
    table.write_text(f"image_id,sex,age\n{row}\n")
    with pytest.raises(SchemaError, match=f"people.csv: {said}"):
        people_of(FILES, table, SEEING)


def test_an_interrupted_batch_keeps_its_rows_and_says_so(tmp_path, capsys):
    output, told = tmp_path / "my table.csv", []

    def rows():
        yield {"file": "a", "error": ""}
        part = pd.read_csv(tmp_path / "my table.csv.part")
        assert list(part["file"]) == ["a"]  # it is there before the next one is known
        yield {"file": "b", "error": "faulty"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rows(output, ["file", "error", "bright"], rows(), 3, told.append)
    said = " ".join(capsys.readouterr().out.split())
    assert f"stopped after 2 of 3 images; their rows are kept in {output}.part" in said
    assert list(pd.read_csv(f"{output}.part")["file"]) == ["a", "b"]
    assert (output.exists(), told) == (False, [1, 2])
    assert write_rows(output, ["file", "error"], [{"file": "c", "error": "x"}], 1, told.append) == 1
    assert output.read_text() == "file,error\nc,x\n"
    assert not Path(f"{output}.part").exists()


@pytest.mark.parametrize(
    ("images", "output", "said"),
    [
        ("no such folder", "out.csv", r"images: received 'no such folder', expected a folder"),
        ("", "out.csv", "images: received ''"),
        (".", "out.csv", "which holds no image"),
        ("my photos", "my photos", "output: received 'my photos', expected the name of a CSV file"),
        ("my photos", "", "output: received ''"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_written(
    photos, monkeypatch, images, output, said
):
    empty = photos.parent / "empty"
    empty.mkdir()
    monkeypatch.chdir(photos.parent if images != "." else empty)
    before = sorted(photos.parent.rglob("*"))
    with pytest.raises(ParameterError, match=said):
        predict_folder.fn(images, output)
    assert sorted(photos.parent.rglob("*")) == before


def test_progress_is_a_line_now_and_then_where_output_is_piped(monkeypatch, capsys):
    monkeypatch.setattr(terminal, "PIPED_SECONDS", 0)
    with terminal.progress_bar("predict", 3) as update:
        update(1)
        update(1)
        update(2, "half")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["predict: 1 of 3", "predict: 2 of 3 half"]
    monkeypatch.setattr(terminal, "PIPED_SECONDS", 60)
    with terminal.progress_bar("predict", 3) as update:
        update(1)
    assert "1 of 3" not in capsys.readouterr().out


def slow(seconds):
    time.sleep(seconds)
    return seconds


def test_work_is_given_out_a_little_ahead_and_not_all_at_once():
    asked = []

    def items():
        for index in range(20):
            asked.append(index)
            yield 0.001 * index

    with process_pool(2) as pool:
        results = map_ahead(pool, slow, items(), ahead=4)
        assert next(results) == 0
        assert len(asked) == 4
        assert list(results) == [0.001 * index for index in range(1, 20)]


def test_a_process_that_is_killed_is_an_error_that_says_what_to_do():
    with process_pool(1) as pool, pytest.raises(WorkerError, match=r"record\.workers"):
        list(map_ahead(pool, die, [1], ahead=2))


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


STOPPED = """\
import time
from slimderm.components.common.workers import map_ahead, process_pool
print("begins", flush=True)
with process_pool(2) as pool:
    for _ in map_ahead(pool, time.sleep, [0] + [600] * 10, ahead=3):
        print("works", flush=True)
"""


@pytest.mark.parametrize(("said", "seconds"), [("begins", 0.05), ("begins", 0.3), ("works", 0)])
def test_control_c_ends_the_processes_at_once_and_without_their_tracebacks(said, seconds):
    command = [sys.executable, "-c", STOPPED]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, start_new_session=True, **pipes) as running:
        while running.stdout.readline() != f"{said}\n":
            pass
        time.sleep(seconds)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal sends it
        _, errors = running.communicate(timeout=30)
    assert errors.count("Traceback") == errors.count("KeyboardInterrupt") == 1
