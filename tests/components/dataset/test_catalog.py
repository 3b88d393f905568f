import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest

from components.dataset.catalog import ingest, read_catalog, write_dataset
from components.dataset.labels import PAPER_CLASSES
from components.errors import ParameterError, SchemaError


def run(folder, **more):
    return ingest(folder, classes=PAPER_CLASSES, **more)


def faults(catalog):
    return {row.image_id: row.reason for row in catalog.quarantine.itertuples()}


def tree(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_sound_dataset_is_taken_whole(made):
    made.add("ISIC_1", dx="mel", age="", sex="", site="")
    made.add("ISIC_2", lesion="LISIC_1")
    made.add("ISIC_3", dx="df")
    catalog = run(made.write())
    assert catalog.quarantine.empty
    images = catalog.images.set_index("image_id")
    assert list(images["label"]) == ["melanoma", "nevus", "other"]
    assert np.isnan(images.loc["ISIC_1", "age"])
    assert list(images.loc["ISIC_1", ["sex", "localization"]]) == ["unknown", "unknown"]
    path = made.images / "ISIC_2.jpg"
    assert images.loc["ISIC_2", "sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert images.loc["ISIC_2", "num_bytes"] == path.stat().st_size
    assert list(images.loc["ISIC_2", ["height", "width"]]) == [12, 16]


def broken(made):
    """Every fault of a row or a file, and one image that has none."""
    made.add("ISIC_good")
    made.add("ISIC_empty").write_bytes(b"")
    made.add("ISIC_text").write_text("this is no image")
    jpeg = made.add("ISIC_cut")
    jpeg.write_bytes(jpeg.read_bytes()[: jpeg.stat().st_size // 2])
    made.row("ISIC_cutpng")
    png = made.image("ISIC_cutpng", suffix=".png")
    png.write_bytes(png.read_bytes()[:200])
    made.row("ISIC_large")
    made.image("ISIC_large", shape=(200, 300, 3))
    made.row("ISIC_twin")
    shutil.copy(made.images / "ISIC_good.jpg", made.images / "ISIC_twin.jpg")
    made.image("ISIC_norow")
    made.row("ISIC_nofile")
    made.add("ISIC_old", age="1000")
    made.add("ISIC_letters", age="fifty")
    made.add("ISIC_double")
    made.row("ISIC_double", lesion="elsewhere")
    made.add("ISIC_nolesion", lesion=" ")
    return made.write()


def test_each_fault_is_set_apart_with_its_reason_and_the_rest_goes_on(made):
    folder = broken(made)
    before = tree(folder)
    catalog = run(folder, max_megapixels=0.05)
    assert tree(folder) == before
    assert list(catalog.images["image_id"]) == ["ISIC_double", "ISIC_good"]
    found = catalog.quarantine.groupby("image_id")["reason"].apply(set).to_dict()
    assert found == {
        "ISIC_empty": {"empty file"},
        "ISIC_text": {"not an image"},
        "ISIC_cut": {"truncated"},
        "ISIC_cutpng": {"truncated"},
        "ISIC_large": {"too large"},
        "ISIC_twin": {"duplicate image"},
        "ISIC_norow": {"image without row"},
        "ISIC_nofile": {"row without image"},
        "ISIC_old": {"bad age", "row at fault"},
        "ISIC_letters": {"bad age", "row at fault"},
        "ISIC_double": {"duplicate row"},
        "ISIC_nolesion": {"row without lesion_id", "row at fault"},
    }


def test_a_table_with_tabs_is_read(made):
    made.add("ISIC_1")
    assert len(run(made.write(sep="\t", name="HAM10000_metadata.tab")).images) == 1


@pytest.mark.parametrize("column", ["lesion_id", "dx", "age"])
def test_a_missing_column_is_named(made, column):
    made.add("ISIC_1")
    with pytest.raises(SchemaError, match=f"lacks {column}"):
        run(made.write(drop=[column]))


def test_an_unknown_diagnosis_is_named(made):
    made.add("ISIC_1", dx="wart")
    with pytest.raises(SchemaError, match="'wart'"):
        run(made.write())


def test_a_missing_folder_table_or_image_is_an_error(made, tmp_path):
    with pytest.raises(SchemaError, match="no such folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(SchemaError, match=r"HAM10000_metadata\.csv"):
        run(made.folder)
    with pytest.raises(SchemaError, match="received no row"):
        run(made.write())
    made.row("ISIC_1")
    with pytest.raises(SchemaError, match="no image was accepted"):
        run(made.write())


def test_negatives_without_a_table_are_their_own_lesions(made):
    made.add("ISIC_1")
    made.write()
    negatives = made.folder / "negatives"
    negatives.mkdir()
    made.image("scratch").rename(negatives / "scratch.jpg")
    images = run(made.folder, negatives=negatives).images.set_index("image_id")
    row = images.loc["scratch"]
    assert (row["label"], row["lesion_id"], row["origin"]) == (
        "negative",
        "negative_scratch",
        "negatives",
    )
    assert np.isnan(row["age"])
    assert row["sex"] == "unknown"


def test_negatives_with_a_table_keep_their_metadata(made):
    made.add("ISIC_1")
    made.write()
    negatives = made.folder / "negatives"
    negatives.mkdir()
    made.image("scratch").rename(negatives / "scratch.jpg")
    rows = [("N7", "scratch", "negative", "", "31", "female", "hand")]
    columns = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    pd.DataFrame(rows, columns=columns).to_csv(negatives / "negatives.csv", index=False)
    row = run(made.folder, negatives=negatives).images.set_index("image_id").loc["scratch"]
    assert (row["lesion_id"], row["age"], row["sex"]) == ("N7", 31.0, "female")


def test_what_is_written_is_read_back(made, tmp_path):
    folder = broken(made)
    catalog = run(folder, max_megapixels=0.05)
    target = tmp_path / "raw"
    for _ in range(2):
        write_dataset(catalog, folder, None, target)
    table = read_catalog(target)
    assert list(table["file"]) == ["images/ISIC_double.jpg", "images/ISIC_good.jpg"]
    for row in table.itertuples():
        assert hashlib.sha256((target / row.file).read_bytes()).hexdigest() == row.sha256
    same = [c for c in table if c != "file"]
    pd.testing.assert_frame_equal(table[same], catalog.images[same], check_dtype=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "source"]


def test_a_folder_without_a_catalog_is_an_error(tmp_path):
    with pytest.raises(SchemaError, match="run the ingest step"):
        read_catalog(tmp_path)


def test_negatives_need_their_folder_to_be_written(made, tmp_path):
    made.add("ISIC_1")
    catalog = run(made.write())
    catalog.images["origin"] = "negatives"
    with pytest.raises(ParameterError, match="negatives"):
        write_dataset(catalog, made.folder, None, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()
