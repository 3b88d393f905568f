"""Which skin tone an image has, by tables that ingest reads too."""

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.flows.work.skin_tone import skin_tones

COLUMNS = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization", "skin_tone"]


def dataset(folder, names, table):
    """Write a picture a name, and a table of what its rows call them, and of their tones."""
    place, *rows = table
    random = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        picture = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    lines = [[f"L{n}", name, "nv", "histo", "40", "male", "back", t] for n, (name, t) in
             enumerate(rows)]  # fmt: skip
    pd.DataFrame(lines, columns=COLUMNS).to_csv(folder / place, index=False)


def tones(folder, column=""):
    images = ingest(folder, classes=PAPER_CLASSES).images
    found = skin_tones(folder, images["image_id"], column)
    assert found.index.equals(images.index)
    return dict(zip(images["image_id"], found, strict=True))


def test_a_table_below_the_folder_counts(tmp_path):
    dataset(tmp_path, ["one", "two"], ["images/metadata.csv", ("one", "II"), ("two", "")])
    assert tones(tmp_path) == {"one": "II", "two": "unknown"}


def test_rows_find_their_images_as_in_ingest(tmp_path):
    rows = ("isic_7", "I"), ("img12.JPG", "II"), ("same", "III"), ("here/New", "IV")
    dataset(tmp_path, ["ISIC_0007", "IMG12", "same", "New"], ["t.csv", *rows])
    assert tones(tmp_path) == {"ISIC_0007": "I", "IMG12": "II", "same": "III", "New": "IV"}


def test_the_table_that_names_most_images_counts_whatever_stands_before_it(tmp_path):
    dataset(tmp_path, ["one", "two"], ["table.csv", ("one", "I"), ("two", "V")])
    (tmp_path / "README.txt").write_text("skin_tone\n")
    (tmp_path / "lost.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/more.csv").write_text("patient,skin_tone\n1,II\n2,III\n")
    assert tones(tmp_path) == {"one": "I", "two": "V"}


def test_a_column_of_another_name_is_asked_for(tmp_path):
    dataset(tmp_path, ["one"], ["images/metadata.csv", ("one", "I")])
    assert tones(tmp_path, "localization") == {"one": "back"}
    with pytest.raises(SchemaError, match=r"received 'tone' as the column .* one of lesion_id, im"):
        tones(tmp_path, "tone")
    (tmp_path / "images/metadata.csv").rename(tmp_path / "kept")
    (tmp_path / "kept").write_text("image_id,other\none,I\n")
    assert skin_tones(tmp_path, pd.Series(["one"])).empty
