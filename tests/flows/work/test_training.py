"""What a training's key sees: everything that shapes the training, and nothing else."""

from dataclasses import replace

import pandas as pd
import pytest

from slimderm.components.compression.write import compress_image, target_names
from slimderm.components.dataset.catalog import ingest, read_catalog, write_dataset
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.dataset.settings import SplitSettings, SyntheticSettings
from slimderm.components.dataset.splits import split
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.base.files import write_json
from slimderm.flows.config.params import Params
from slimderm.flows.work import training
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.training import Trainer

SIZE = {"rule": "fixed", "reason": "as asked"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    source, raw = folder / "source", folder / "data" / "raw"
    write_synthetic(source, SyntheticSettings(num_lesions=30, num_negatives=4, height=24, width=32))
    write_dataset(ingest(source, classes=PAPER_CLASSES), source, None, raw)
    catalog = read_catalog(raw)
    split(catalog, SplitSettings()).frame.to_csv(folder / "data/splits.csv", index=False)
    write_json(folder / "data/resize/choice.json", SIZE | {"height": 24, "width": 16})
    target, rows = folder / "data/compressed", []
    for image, name in zip(
        catalog.itertuples(), target_names(list(catalog["file"]), codec="jpeg"), strict=True
    ):
        data = (raw / image.file).read_bytes()
        stored, row = compress_image(data, k=5, codec="jpeg", quality=90)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes(stored)
        rows.append(row | {"image_id": image.image_id, "file": name})
    pd.DataFrame(rows).to_parquet(target / "manifest.parquet")
    return folder


@pytest.fixture
def keys(made, monkeypatch):
    monkeypatch.chdir(made)

    def find(**train):
        params = Params()
        params = replace(params, train=replace(params.train, **train))
        return [
            Trainer(params, "lenet5", LesionSource(params, variant)).key
            for variant in ("original", "compressed")
        ]

    return find


def test_the_same_work_has_the_same_key_and_each_variant_its_own(keys):
    assert keys() == keys()
    assert len(set(keys())) == 2
    assert not set(keys()) & set(keys(epochs=3))


@pytest.mark.parametrize(
    ("checkpoint", "name", "value", "trains"),
    [
        ("average_loss", "checkpoint_accuracy", 0.5, False),
        ("trained", "checkpoint_accuracy", 0.5, True),
        ("trained", "average_epochs", 7, False),
        ("average_loss", "average_epochs", 7, True),
    ],
)
def test_what_has_no_effect_trains_nothing_anew(made, monkeypatch, checkpoint, name, value, trains):
    """The key of a network's training, not of its trainer alone."""
    monkeypatch.chdir(made)
    monkeypatch.setattr(training, "cached", lambda cache, key, make: made / key)
    found = set()
    for train in ({}, {name: value}):
        params = replace(Params(), train=TrainingSettings(checkpoint=checkpoint, **train))
        found.add(Trainer(params, "lenet5", LesionSource(params, "original")).fit("").key)
    assert len(found) == 1 + trains


def test_other_weights_of_the_same_name_are_another_training(keys, made):
    train = replace(Params().train, weights={"vgg16": "weights.h5"})
    params = replace(Params(), networks=("vgg16",), train=train)

    def find():
        return Trainer(params, "vgg16", LesionSource(params, "original")).key

    (made / "weights.h5").write_bytes(b"one")
    before = find()
    assert find() == before
    (made / "weights.h5").write_bytes(b"two")
    assert find() != before


@pytest.mark.slow
def test_what_starts_from_a_file_is_frozen_as_the_settings_say(keys, made):
    """MobileNet's trunk is that of the file, but for what is trained from a layer on."""
    import keras

    from slimderm.components.pruning.proof import randomise

    write_json(made / "data/resize/choice.json", SIZE | {"height": 32, "width": 32})
    published = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3)
    )
    randomise(published, seed=0)  # fresh, so many layers would let hardly a gradient through
    published.save_weights("published_notop.weights.h5")
    frozen = {"head_epochs": 1, "unfreeze_from": "conv_pw_13", "epochs": 2}
    train = replace(Params().train, weights={"mobilenet": "published_notop.weights.h5"}, **frozen)
    params = replace(Params(), networks=("mobilenet",), train=train)
    run = Trainer(params, "mobilenet", LesionSource(params, "original")).fit("mobilenet")
    write_json(made / "data/resize/choice.json", SIZE | {"height": 24, "width": 16})
    assert len(pd.read_csv(run.folder / "history.csv")) == 2
    model = run.load()
    for name in ("conv1", "conv_dw_1_bn", "conv_pw_12_bn", "conv_pw_13"):
        one, other = (
            [value.tobytes() for value in each.get_layer(name).get_weights()]
            for each in (published, model)
        )
        assert (one == other) == (name != "conv_pw_13"), name


def test_another_input_size_changes_both_keys(keys, made):
    before = keys()
    write_json(made / "data/resize/choice.json", SIZE | {"height": 32, "width": 16})
    after = keys()
    write_json(made / "data/resize/choice.json", SIZE | {"height": 24, "width": 16})
    assert not set(before) & set(after)
    assert keys() == before


@pytest.mark.parametrize("table", ["data/raw/catalog.csv", "data/splits.csv"])
def test_a_changed_table_changes_both_keys(keys, made, table):
    before = keys()
    path = made / table
    text = path.read_text()
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.iloc[::-1].to_csv(path, index=False)
    after = keys()
    path.write_text(text)
    assert not set(before) & set(after)
    assert keys() == before


def test_a_changed_compressed_image_changes_its_key_alone(keys, made):
    original, compressed = keys()
    path = made / "data/compressed/manifest.parquet"
    kept = path.read_bytes()
    frame = pd.read_parquet(path)
    frame.loc[0, "sha256_after"] = "another"
    frame.to_parquet(path)
    after = keys()
    path.write_bytes(kept)
    assert after[0] == original
    assert after[1] != compressed
