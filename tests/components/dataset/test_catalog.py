import hashlib
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slimderm.components.common.errors import RecordError, SchemaError
from slimderm.components.dataset.catalog import check_files, ingest, read_catalog, write_dataset
from slimderm.components.dataset.labels import PAPER_CLASSES


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
    made.row(" ", lesion="Lnoimage")
    made.add("ISIC_nodx", dx=" ")
    (made.images / "ISIC_folder.jpg").mkdir()  # a folder, whatever its name
    (made.images / "notes.txt").write_text("of no account")
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
        "": {"row without image_id"},
        "ISIC_nodx": {"row without dx", "row at fault"},
    }
    detail = catalog.quarantine.set_index("image_id")["detail"]
    assert detail["ISIC_twin"] == "same bytes as ISIC_good"
    assert detail["ISIC_large"].startswith("received 300x200 pixels")


def test_a_table_with_tabs_is_read(made):
    made.add("ISIC_1")
    assert len(run(made.write(sep="\t", name="HAM10000_metadata.tab")).images) == 1


@pytest.mark.parametrize("column", ["lesion_id", "dx", "age"])
def test_a_missing_column_is_named(made, column):
    made.add("ISIC_1")
    with pytest.raises(SchemaError, match=f"lacks {column}"):
        run(made.write(drop=[column]))


def test_an_unknown_diagnosis_is_set_apart_unless_a_class_names_it(made):
    made.add("ISIC_1", dx="wart")
    made.add("ISIC_2")
    folder = made.write()
    assert faults(run(folder))["ISIC_1"] == "row at fault"
    classes = PAPER_CLASSES | {"other": (*PAPER_CLASSES["other"], "wart")}
    catalog = ingest(folder, classes=classes)
    assert catalog.quarantine.empty
    assert list(catalog.images["label"]) == ["other", "nevus"]


def test_a_missing_folder_table_or_image_is_an_error(made, tmp_path):
    with pytest.raises(SchemaError, match="no such folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(SchemaError, match=r"HAM10000_metadata\.csv"):
        run(made.folder)
    with pytest.raises(SchemaError, match="received no row"):
        run(made.write())
    made.row("ISIC_1")
    with pytest.raises(SchemaError, match="no image was accepted"):
        run(made.write()).check(made.folder)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".JPG"])
def test_images_lie_in_any_folder_under_any_usual_name(made, suffix):
    made.row("ISIC_1")
    deep = made.folder / "a" / "b"
    deep.mkdir(parents=True)
    made.image("ISIC_1", suffix=suffix).rename(deep / f"ISIC_1{suffix}")
    catalog = run(made.write())
    assert catalog.quarantine.empty
    assert list(catalog.images["file"]) == [f"a/b/ISIC_1{suffix}"]


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_files_of_one_name_the_largest_wins_and_the_quarantine_says_so(made, order):
    names = ["a", "b", "c", "d"][::order]  # whatever comes first
    made.row("ISIC_1")
    shapes = {
        "small": (12, 16, 3),
        "large": (48, 64, 3),
        "poor": (48, 64, 3),
        "broken": (90, 99, 3),
    }
    files = {}
    for name, (kind, shape) in zip(names, shapes.items(), strict=True):
        files[kind] = made.folder / name / "ISIC_1.jpg"
        files[kind].parent.mkdir()
        made.image("ISIC_1", shape=shape).rename(files[kind])
    image = Image.open(files["large"])
    image.save(files["poor"], quality=20)
    files["broken"].write_bytes(files["broken"].read_bytes()[:300])
    catalog = run(made.write())
    place = {kind: path.relative_to(made.folder).as_posix() for kind, path in files.items()}
    assert list(catalog.images["file"]) == [place["large"]]
    found = catalog.quarantine.set_index("file")
    assert found["reason"].to_dict() == {
        place["small"]: "duplicate image_id",
        place["poor"]: "duplicate image_id",
        place["broken"]: "truncated",
    }
    assert f"{place['large']} (64x48 pixels, " in found.loc[place["small"], "detail"]


def test_progress_ends_at_the_number_of_files(made):
    told = []
    folder = broken(made)
    files = [
        path for path in folder.rglob("*") if path.is_file() and path.suffix in (".jpg", ".png")
    ]
    run(folder, max_megapixels=0.05, progress=lambda *counts: told.append(counts))
    assert told == sorted(told)
    assert told[0] == (1, len(files))
    assert told[-1] == (len(files), len(files))


def test_what_is_written_is_read_back(made, tmp_path):
    folder = broken(made)
    catalog = run(folder, max_megapixels=0.05)
    target = tmp_path / "raw"
    before = tree(folder)
    for _ in range(2):
        write_dataset(catalog, folder, None, target)
    assert tree(folder) == before
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


def test_a_file_that_is_not_what_the_table_says_is_named(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"image")
    table = pd.DataFrame({"file": ["a.jpg"], "sha256": [hashlib.sha256(b"image").hexdigest()]})
    check_files(tmp_path, table)
    (tmp_path / "a.jpg").write_bytes(b"imagE")
    with pytest.raises(RecordError, match=r"a\.jpg: received .* expected .* damaged or changed"):
        check_files(tmp_path, table)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(RecordError, match="received no file"):
        check_files(tmp_path, table)
