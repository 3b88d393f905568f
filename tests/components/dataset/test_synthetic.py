import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from slimderm.components.common.errors import ParameterError
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.images import read_image
from slimderm.components.dataset.labels import DIAGNOSES, PAPER_CLASSES
from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.synthetic import write_synthetic

SMALL = SyntheticSettings(num_lesions=120, num_negatives=12, height=48, width=64, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("synthetic")
    write_synthetic(target, SMALL)
    return target


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_the_same_seed_gives_the_same_bytes(folder, tmp_path):
    write_synthetic(tmp_path / "again", SMALL)
    assert digest(tmp_path / "again") == digest(folder)


def test_another_seed_gives_others(folder, tmp_path):
    write_synthetic(tmp_path / "other", replace(SMALL, seed=4))
    assert digest(tmp_path / "other") != digest(folder)


def test_the_layout_is_the_official_one(folder, tmp_path):
    assert sorted(path.name for path in folder.iterdir()) == [
        "HAM10000_images_part_1",
        "HAM10000_metadata.csv",
        "negatives",
    ]
    told = []
    few = SyntheticSettings(num_lesions=22, num_negatives=0, height=16, width=16)
    table = write_synthetic(tmp_path / "few", few, progress=told.append)
    assert not (tmp_path / "few" / "negatives").exists()
    assert told == list(range(1, len(table) + 1))
    images = {path.stem for path in (tmp_path / "few/HAM10000_images_part_1").iterdir()}
    assert images == set(table["image_id"])


@pytest.mark.parametrize("num_lesions", [22, 23, 30, 80, 150, 1000])
def test_any_number_of_lesions_is_kept_to_with_three_of_each(tmp_path, num_lesions):
    few = SyntheticSettings(num_lesions=num_lesions, num_negatives=0, height=16, width=16)
    lesions = write_synthetic(tmp_path, few).groupby("dx")["lesion_id"].nunique()
    assert lesions.sum() == num_lesions
    assert len(lesions) == len(DIAGNOSES)
    assert lesions.min() >= 3


def test_too_few_lesions_are_refused():
    with pytest.raises(ParameterError, match="num_lesions"):
        SyntheticSettings(num_lesions=21)


def test_it_is_ingested_without_a_fault(folder):
    catalog = ingest(folder, classes=PAPER_CLASSES, negatives=folder / "negatives")
    assert catalog.quarantine.empty
    assert (catalog.images["label"] == "negative").sum() == SMALL.num_negatives
    assert set(catalog.images[["height", "width"]].itertuples(index=False, name=None)) == {(48, 64)}


def test_every_diagnosis_has_lesions_for_three_parts(folder):
    table = pd.read_csv(folder / "HAM10000_metadata.csv")
    lesions = table.groupby("dx")["lesion_id"].nunique()
    assert set(lesions.index) == set(DIAGNOSES)
    assert lesions.min() >= 3
    assert lesions.sum() == SMALL.num_lesions
    assert lesions.idxmax() == "nv"


def test_mean_colours_alone_tell_more_than_chance_and_less_than_all(folder):
    images = ingest(folder, classes=PAPER_CLASSES, negatives=folder / "negatives").images
    folders = {"source": folder, "negatives": folder / "negatives"}
    means = [
        read_image(folders[row.origin] / row.file).mean(axis=(0, 1)) for row in images.itertuples()
    ]
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    lesion_wise = StratifiedGroupKFold(4, shuffle=True, random_state=0)
    scores = cross_val_score(
        model,
        np.array(means),
        images["label"],
        groups=images["lesion_id"],
        cv=lesion_wise,
        scoring="balanced_accuracy",
    )
    assert 0.4 < scores.mean() < 0.9  # chance is a quarter


def test_colour_tells_the_classes_apart_but_not_wholly(folder):
    catalog = ingest(folder, classes=PAPER_CLASSES).images
    catalog = catalog[catalog["label"] != "negative"]
    middle = [
        read_image(folder / file)[16:32, 22:42].reshape(-1, 3).astype(float)
        for file in catalog["file"]
    ]
    features = np.array([[*patch.mean(axis=0), *patch.std(axis=0)] for patch in middle])
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    scores = cross_val_score(model, features, catalog["label"], cv=4, scoring="balanced_accuracy")
    assert 0.5 < scores.mean() < 0.97  # chance is a third
