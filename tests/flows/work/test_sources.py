"""What networks see of a split with augmented copies."""

import re

import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import ImageError
from slimderm.flows.config.choice import InputSize, StorageChoice
from slimderm.flows.config.params import read_params
from slimderm.flows.steps.compress import compress
from slimderm.flows.steps.ingest import ingest_dataset
from slimderm.flows.steps.split import split_lesions
from slimderm.flows.steps.synthesize import synthesize
from slimderm.flows.work.reencoded import ReencodedSource
from slimderm.flows.work.sources import LesionSource

SIZES = {"train": 64, "validation": 20, "test": 8}
PARAMS = """\
networks: [lenet5]
synthetic: {num_lesions: 30, num_negatives: 4, height: 24, width: 32}
ingest: {source: data/source, negatives: data/source/negatives}
split: {train: 64, validation: 20, test: 8, fill: copies}
record: {workers: 1}
"""


@pytest.fixture(scope="module", autouse=True)
def workspace(tmp_path_factory):
    """A few lesions, four negatives among them, split with copies and compressed."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "params.yaml").write_text(PARAMS)
    StorageChoice("fixed", "as asked", 5, "jpeg", 90, []).save(folder / "data/choice.json")
    InputSize("fixed", "as asked", 24, 16).save(folder / "data/resize/choice.json")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for step in (synthesize, ingest_dataset, split_lesions, compress):
            step.fn()
        yield folder


@pytest.mark.parametrize("variant", ["original", "compressed"])
def test_each_part_has_its_size_and_copies_look_other_than_their_image(variant):
    source = LesionSource(read_params(), variant)
    for part, size in SIZES.items():
        rows, examples = source.rows(part), source.examples[part]
        each = size // 4
        assert np.bincount(examples.labels).tolist() == [each] * 4
        assert examples.copies.tolist() == (rows["copy"] > 0).tolist()
        assert examples.num_copies > 0
        assert examples.lesions.tolist() == rows["lesion_id"].tolist()
        plain = source.load(rows["file"].tolist())
        same = (examples.images == plain).all(axis=(1, 2, 3))
        assert same.tolist() == (~examples.copies).tolist()
    negatives = source.frame.query("label == 'negative' and copy == 0")
    assert len(negatives) == 4


def test_a_file_that_cannot_be_encoded_anew_is_named(workspace):
    source = ReencodedSource(read_params())
    bad = source.folder / "bad.jpg"
    bad.write_bytes(b"text")
    with pytest.raises(ImageError, match=f"^{re.escape(str(bad))}: not an image"):
        source.load([source.frame["file"].iloc[0], "bad.jpg"])
    bad.unlink()


def test_copies_teach_the_metadata_encoder_nothing():
    source = LesionSource(read_params(), "original")
    train = source.frame.query("part == 'train'")
    assert (train["copy"] > 0).any()
    ages = train.query("copy == 0")["age"]
    assert source.encoder.age_median == pytest.approx(ages.median())


def test_a_sample_of_the_training_part_leaves_judged_parts_whole():
    source = LesionSource(read_params(), "original", max_train=10)
    assert {part: len(source.rows(part)) for part in SIZES} == SIZES | {"train": 10}


def test_what_the_source_says_is_counted_by_hand():
    splits = pd.read_csv("data/splits.csv")
    copies = splits[splits["copy"] > 0].groupby("part").size()
    total = splits.groupby("part").size()
    said = LesionSource(read_params(), "original").copies
    for part, words in (("train", "in training"), ("test", "on test")):
        assert f"{copies[part]} of {total[part]} {words}" in said
