"""The step that writes the dataset: goes on after an interruption, rewrites what changed."""

import hashlib
import shutil
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import RecordError
from slimderm.components.compression.codecs import CODECS
from slimderm.components.dataset.catalog import ingest, write_dataset
from slimderm.components.dataset.images import read_image
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.metrics import METRICS
from slimderm.components.quality.settings import QualitySettings
from slimderm.flows.cli.images import differences
from slimderm.flows.config import layout
from slimderm.flows.config.choice import StorageChoice
from slimderm.flows.steps.compress import compress

PARAMS = "record: {workers: 1, cache: cache}\n"


def take_in(folder):
    shutil.rmtree(folder / "data/raw", ignore_errors=True)
    source = folder / "source"
    write_dataset(ingest(source, classes=PAPER_CLASSES), source, None, folder / "data/raw")


@pytest.fixture
def place(tmp_path, monkeypatch):
    settings = SyntheticSettings(num_lesions=22, num_negatives=0, height=40, width=56)
    write_synthetic(tmp_path / "source", settings)
    take_in(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    choose(tmp_path, k=9, codec="jpeg", quality=90)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def choose(folder, **choice):
    StorageChoice("fixed", "as asked", **choice, evidence=[]).save(folder / layout.CHOICE)


def run(capfd):
    compress.fn()
    line = next(line for line in capfd.readouterr().out.splitlines() if "images compressed" in line)
    manifest = pd.read_parquet("data/compressed/manifest.parquet")
    words = line.split()
    return manifest, int(words[1]), int(words[4])


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_manifest_says_what_is_there(place, capfd):
    manifest, written, found = run(capfd)
    assert (written, found) == (len(manifest), 0)
    for row in manifest.itertuples():
        source = place / "data/raw" / row.source_file
        stored = place / "data/compressed" / row.file
        assert (row.sha256_before, row.sha256_after) == (digest(source), digest(stored))
        assert (row.bytes_before, row.bytes_after) == (
            source.stat().st_size,
            stored.stat().st_size,
        )
        assert (row.k, row.codec, row.quality, row.full_rank) == (9, "jpeg", 90, False)
        original = Reference(read_image(source), QualitySettings())
        expected = original.compare(read_image(stored))
        assert {name: getattr(row, name) for name in METRICS} == pytest.approx(expected)
    files = {path.name for path in (place / "data/compressed").rglob("*") if path.is_file()}
    assert files == {row.split("/")[-1] for row in manifest["file"]} | {"manifest.parquet"}


def test_what_is_finished_is_found_again_and_what_is_spoilt_is_not(place, capfd):
    manifest, total, _ = run(capfd)
    before = digest(place / "data/compressed/manifest.parquet")
    shutil.rmtree(place / "data/compressed")  # as DVC does before it runs a stage
    # In mid-run: one image of the cache is missing, another was damaged on the disk.
    rows = sorted((place / "cache").rglob("row.json"))
    shutil.rmtree(rows[0].parent)
    rows[1].with_name("image").write_bytes(b"damaged")
    again, written, found = run(capfd)
    assert (written, found) == (2, total - 2)
    assert again.equals(manifest)
    assert digest(place / "data/compressed/manifest.parquet") == before


def test_one_image_that_changed_is_rewritten_and_no_other(place, capfd):
    manifest, total, _ = run(capfd)
    changed = manifest["image_id"].iloc[2]
    path = next((place / "source").rglob(f"{changed}.jpg"))
    cv2.imwrite(str(path), 255 - cv2.imread(str(path)))
    take_in(place)
    again, written, found = run(capfd)
    assert (written, found) == (1, total - 1)
    differs = (again != manifest).any(axis=1)
    assert list(again.loc[differs, "image_id"]) == [changed]


def test_verify_finds_what_was_altered_later(place, capfd):
    manifest, *_ = run(capfd)
    folders = Path("data/compressed"), Path("data/raw")
    assert differences(*folders).empty
    assert f"{len(manifest)} images agree with their manifest" in capfd.readouterr().out
    altered = Path("data/compressed") / manifest["file"].iloc[1]
    altered.unlink()  # a file of its own, not the cache's
    altered.write_bytes(b"altered")
    assert list(differences(*folders)["file"]) == [manifest["file"].iloc[1]]
    out = capfd.readouterr().out
    assert f"{manifest['file'].iloc[1]}: changed (received" in out
    assert "verify: 1 file differs" in out
    with pytest.raises(RecordError, match="`make run` writes"):
        differences(Path("nowhere"), Path("data/raw"))


@pytest.mark.parametrize("codec", CODECS)
def test_any_codec_can_be_the_one_that_is_written(place, capfd, codec):
    choose(place, k=None, codec=codec, quality=95)
    manifest, *_ = run(capfd)
    assert manifest["k"].isna().all()
    assert manifest["full_rank"].all()
    lossless = CODECS[codec].lossless or CODECS[codec].repacks
    for row in manifest.itertuples():
        stored = read_image(place / "data/compressed" / row.file)
        same = np.array_equal(stored, read_image(place / "data/raw" / row.source_file))
        assert same == lossless
        assert (row.psnr == 100) == lossless
