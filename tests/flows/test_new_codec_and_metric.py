"""A codec and a metric are added by one line each, and every step that uses them follows."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.dataset.catalog import ingest, read_catalog, write_dataset
from slimderm.components.dataset.images import read_image
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.flows.config import layout
from slimderm.flows.config.choice import StorageChoice

ROOT = Path(__file__).parents[2]
ADDITION = """
import numpy as np

from slimderm.components.compression.codecs import CODECS, Codec
from slimderm.components.compression.codecs.libraries import encode_with_pillow
from slimderm.components.quality.metrics import METRICS, Metric


def write(item, _quality):
    return encode_with_pillow(item.image, "WEBP", lossless=True)


def mean_error(pair):
    return float(np.abs(pair.original.pixels.astype(int) - pair.other.pixels).mean())


CODECS["exact_webp"] = Codec("exact_webp", ".webp", write, qualities=(100,), lossless=True)
METRICS["mean_error"] = Metric("mean absolute error", "lower", mean_error)
"""
RUN = """
from slimderm.flows.steps.compress import compress
from slimderm.flows.steps.storage import storage
from slimderm.flows.steps.sweep import sweep_ranks

if __name__ == "__main__":
    for step in (compress, storage, sweep_ranks):
        step.fn()
"""
PARAMS = """
compress: {ranks: [4, 12], codec: exact_webp}
choose: {metrics: [mean_error], floors: {mean_error: 9}}
storage: {qualities: {jpeg: [60, 90], exact_webp: [100]}, max_images: 2, bootstrap_samples: 50}
record: {workers: 1, cache: cache}
"""


pytestmark = pytest.mark.slow  # it runs the sweep and compresses anew


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Run the steps where the two lines are in the tables of every process, workers included."""
    folder = tmp_path_factory.mktemp("addition")
    settings = SyntheticSettings(num_lesions=22, num_negatives=0, height=24, width=32)
    write_synthetic(folder / "source", settings)
    catalog = ingest(folder / "source", classes=PAPER_CLASSES)
    write_dataset(catalog, folder / "source", None, folder / layout.RAW)
    choice = StorageChoice("fixed", "as asked", k=4, codec="exact_webp", quality=95, evidence=[])
    choice.save(folder / layout.CHOICE)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "sitecustomize.py").write_text(ADDITION)  # which Python imports first
    (folder / "run.py").write_text(RUN)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    subprocess.run([sys.executable, "run.py"], cwd=folder, env=environment, check=True)
    return folder


def mean_errors(place, k):
    """Of each image's truncation, by NumPy; images by their id."""
    found = {}
    for row in read_catalog(place / layout.RAW).itertuples():
        original = read_image(place / layout.RAW / row.file)
        slim = np.empty_like(original)
        for channel in range(3):
            u, s, v = np.linalg.svd(original[..., channel].astype(float), full_matrices=False)
            slim[..., channel] = np.clip(np.rint((u[:, :k] * s[:k]) @ v[:k]), 0, 255)
        found[row.image_id] = np.abs(original.astype(int) - slim).mean()
    return found


def test_the_manifest_holds_the_new_metric_of_the_new_codec(place):
    manifest = pd.read_parquet(place / layout.MANIFEST).set_index("image_id")
    assert set(manifest["codec"]) == {"exact_webp"}
    expected = pd.Series(mean_errors(place, 4))
    assert manifest["mean_error"].sort_index().to_numpy() == pytest.approx(
        expected.sort_index().to_numpy(), abs=1e-3
    )
    file = place / layout.COMPRESSED / manifest["file"].iloc[0]
    assert file.suffix == ".webp"
    assert np.array_equal(cv2.imread(str(file))[..., ::-1], read_image(file))


def test_the_sweeps_tables_hold_the_new_metric(place):
    summary = pd.read_csv(place / layout.SWEEP / "summary.csv")
    rows = summary[summary["arm"] == "svd"].set_index(["k", "stage"])
    for k in (4, 12):
        expected = np.mean(list(mean_errors(place, k).values()))
        assert rows.loc[(k, "before"), "mean_error_mean"] == pytest.approx(expected, abs=1e-3)
        # The codec loses nothing.
        assert (
            rows.loc[(k, "after"), "mean_error_mean"] == rows.loc[(k, "before"), "mean_error_mean"]
        )


def test_the_storage_study_tries_the_new_codec_once_a_rank(place):
    summary = pd.read_csv(place / layout.STORAGE / "summary.csv")
    new = summary[summary["codec"] == "exact_webp"]
    assert list(new["k"].fillna(0)) == [4, 12, 0]
    assert new["mean_error_mean"].iloc[-1] == 0
    assert (new["mean_error_mean"].iloc[:2] > 0).all()
