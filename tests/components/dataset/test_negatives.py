import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import ParameterError, SchemaError
from slimderm.components.dataset.catalog import ingest, read_catalog, write_dataset
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.dataset.layouts import REQUIRED_COLUMNS


@pytest.fixture
def negatives(made, tmp_path):
    """A folder with the images s1 and s2, beside a source with ISIC_1 and ISIC_2."""
    folder = tmp_path / "negatives"
    folder.mkdir()
    for name in ("s1", "s2"):
        made.image(name).rename(folder / f"{name}.jpg")
    made.add("ISIC_1", dx="mel")
    made.add("ISIC_2")
    made.write()
    return folder


def run(made, negatives, **more):
    return ingest(made.folder, classes=PAPER_CLASSES, negatives=negatives, **more)


def write_table(folder, *rows):
    pd.DataFrame(rows, columns=REQUIRED_COLUMNS).to_csv(folder / "negatives.csv", index=False)


def reasons(catalog):
    return dict(catalog.quarantine[["image_id", "reason"]].itertuples(index=False))


def test_without_a_table_they_are_their_own_lesions(made, negatives):
    catalog = run(made, negatives)
    assert catalog.quarantine.empty
    images = catalog.images.set_index("image_id")
    assert list(images.index) == ["ISIC_1", "ISIC_2", "s1", "s2"]
    assert list(images["label"]) == ["melanoma", "nevus", "negative", "negative"]
    row = images.loc["s1"]
    assert (row["lesion_id"], row["origin"], row["file"]) == ("negative_s1", "negatives", "s1.jpg")
    assert np.isnan(row["age"])
    assert (row["sex"], row["localization"]) == ("unknown", "unknown")


def test_with_a_table_they_keep_their_metadata(made, negatives):
    write_table(
        negatives,
        ("N7", "s1", "negative", "", "31", "female", "hand"),
        ("N8", "s2", "negative", "", "200", "female", "hand"),
    )
    catalog = run(made, negatives)
    row = catalog.images.set_index("image_id").loc["s1"]
    assert (row["lesion_id"], row["age"], row["sex"]) == ("N7", 31.0, "female")
    assert catalog.quarantine[["image_id", "reason"]].values.tolist() == [
        ["s2", "bad age"],
        ["s2", "row at fault"],
    ]


def test_a_table_must_have_its_columns(made, negatives):
    (negatives / "negatives.csv").write_text("image_id,age\ns1,30\n")
    with pytest.raises(SchemaError, match=r"negatives\.csv: lacks lesion_id, dx"):
        run(made, negatives)


def test_a_folder_within_the_source_is_read_once(made, negatives):
    inside = made.folder / "scratches"
    shutil.move(negatives, inside)
    catalog = run(made, inside)
    assert catalog.quarantine.empty
    assert list(catalog.images["origin"]) == ["source"] * 2 + ["negatives"] * 2


def test_a_missing_folder_is_an_error(made, negatives, tmp_path):
    with pytest.raises(SchemaError, match="nowhere: no such folder"):
        run(made, tmp_path / "nowhere")


def test_an_image_of_the_source_is_no_negative_as_well(made, negatives):
    shutil.copy(made.images / "ISIC_1.jpg", negatives / "s3.jpg")
    made.image("ISIC_2", seed=99).rename(negatives / "ISIC_2.jpg")
    made.write()
    made.image("ISIC_2")
    catalog = run(made, negatives)
    assert reasons(catalog) == {"s3": "duplicate image", "ISIC_2": "duplicate image_id"}
    assert catalog.images["image_id"].is_unique
    assert set(catalog.images["image_id"]) == {"ISIC_1", "ISIC_2", "s1", "s2"}


def test_they_need_a_class(made, negatives):
    classes = {name: dxs for name, dxs in PAPER_CLASSES.items() if name != "negative"}
    with pytest.raises(ParameterError, match="no class gathers negative"):
        ingest(made.folder, classes=classes, negatives=negatives)
    assert len(ingest(made.folder, classes=classes).images) == 2


def test_they_are_written_beside_the_rest(made, negatives, tmp_path):
    catalog = run(made, negatives)
    write_dataset(catalog, made.folder, negatives, tmp_path / "raw")
    table = read_catalog(tmp_path / "raw")
    assert list(table["label"]) == ["melanoma", "nevus", "negative", "negative"]
    for row in table.itertuples():
        data = (tmp_path / "raw" / row.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row.sha256


def test_without_their_folder_nothing_is_written(made, negatives, tmp_path):
    catalog = run(made, negatives)
    with pytest.raises(ParameterError, match="negatives"):
        write_dataset(catalog, made.folder, None, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
