"""The sweep's step: all images, or as many as make the choice certain, whoever is done first."""

import json

import pandas as pd
import pytest

from slimderm.components.dataset.catalog import ingest, read_catalog, write_dataset
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.strata import stratified_order
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.components.quality.choice import choose_k
from slimderm.components.quality.settings import ChooseSettings
from slimderm.flows.steps.sweep import sweep_ranks

PARAMS = """
compress: {{ranks: [2, 6, 20, 40]}}
sweep: {{sampling: {sampling}, min_images: 8, chunk_size: 4, seed: 3}}
choose: {{metrics: [psnr, ssim], tolerance: 0.01, stage: before}}
record: {{workers: {workers}, cache: {cache}}}
"""
CHOICE = ChooseSettings(metrics=("psnr", "ssim"), tolerance=0.01, stage="before")


@pytest.fixture
def place(tmp_path, monkeypatch):
    settings = SyntheticSettings(num_lesions=40, num_negatives=0, height=40, width=56)
    write_synthetic(tmp_path / "source", settings)
    catalog = ingest(tmp_path / "source", classes=PAPER_CLASSES)
    write_dataset(catalog, tmp_path / "source", None, tmp_path / "data/raw")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(place, **more):
    values = {"sampling": "adaptive", "workers": 1, "cache": "cache"} | more
    (place / "params.yaml").write_text(PARAMS.format(**values))
    sweep_ranks.fn()
    sampling = json.loads((place / "data/sweep/sampling.json").read_text())
    return pd.read_parquet("data/sweep/measurements.parquet"), sampling


def test_adaptive_takes_the_first_of_the_stratified_order_and_finds_the_same_k(place):
    everything, sampling = run(place, sampling="all")
    catalog = read_catalog(place / "data/raw").sort_values("image_id", ignore_index=True)
    assert (sampling["num_images"], sampling["of"]) == (len(catalog), len(catalog))
    assert set(everything["image_id"]) == set(catalog["image_id"])
    summary = pd.read_csv("data/sweep/summary.csv")
    k = choose_k(summary, CHOICE).k

    part, sampling = run(place)
    assert sampling["num_images"] < len(catalog)
    assert f"k = {k} is certain" in sampling["reason"]
    order = stratified_order(list(catalog["dx"]), seed=3)
    first = catalog.iloc[order[: sampling["num_images"]]]["image_id"]
    assert list(dict.fromkeys(part["image_id"])) == list(first)
    assert choose_k(pd.read_csv("data/sweep/summary.csv"), CHOICE).k == k
    same = everything.merge(part[["image_id", "arm", "k", "stage"]])
    columns = ["image_id", "arm", "k", "stage"]
    ordered = [table.sort_values(columns, ignore_index=True) for table in (same, part)]
    pd.testing.assert_frame_equal(*ordered)
    intervals = pd.read_csv("data/sweep/intervals.csv")
    assert set(intervals["metric"]) == {"psnr", "ssim"}


@pytest.mark.slow
def test_two_processes_use_the_same_images_as_one(place):
    one, first = run(place)
    two, second = run(place, workers=2, cache="elsewhere")
    assert first == second
    pd.testing.assert_frame_equal(one, two)
