import hashlib

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from components.dataset.catalog import ingest
from components.dataset.images import read_image
from components.dataset.labels import DIAGNOSES, PAPER_CLASSES
from components.dataset.synthetic import SyntheticSettings, write_synthetic

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
