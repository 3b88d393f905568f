"""Files and rows that meet in spite of how folders, spreadsheets and file systems change them."""

import shutil
import unicodedata

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.labels import PAPER_CLASSES
from slimderm.components.dataset.matching import match
from slimderm.components.dataset.quarantine import REASONS


def run(folder):
    return ingest(folder, classes=PAPER_CLASSES)


@pytest.mark.parametrize(
    ("image_id", "stem", "way"),
    [
        ("ISIC_0024306.jpg", "ISIC_0024306", "the ending"),
        ("ISIC_0024306.PNG", "ISIC_0024306", "the ending"),
        ("isic_0024306", "ISIC_0024306", "case"),
        ("24306", "0024306", "leading zeros"),
        ("24306.0", "0024306", "a decimal point of a spreadsheet and leading zeros"),
        ("24306,0", "24306", "a decimal point of a spreadsheet"),
        ("ISIC_24306", "ISIC_0024306", "leading zeros"),
        ("images/part_1/ISIC_0024306", "ISIC_0024306", "a folder"),
        (r"C:\images\ISIC_0024306.jpg", "ISIC_0024306", "a folder and the ending"),
        ("läsion_1", unicodedata.normalize("NFD", "läsion_1"), "the unicode form"),
    ],
)
def test_a_match_that_is_plain_but_for_spelling_is_taken_and_said(made, image_id, stem, way):
    made.row(image_id)
    made.image(stem)
    made.add("other_5")
    catalog = run(made.write())
    assert list(catalog.images["image_id"]) == sorted([stem, "other_5"])
    assert catalog.quarantine.empty
    assert catalog.notes == [
        f"1 × image_id differs from its file's name in {way} alone, such as {image_id!r} and "
        f"{stem!r}; taken as meant"
    ]


@pytest.mark.parametrize(
    ("ids", "stems"),
    [
        (["a_1", "A_1"], ["a_01"]),
        (["a_1"], ["a_01", "a_001"]),
        (["a_1", "a_01"], ["a_01"]),  # the second row has its file, the first has none
        (["p1/001", "p2/001"], ["001"]),
        (["b_1"], ["a_1"]),
    ],
)
def test_a_match_that_could_mean_another_is_not_taken(ids, stems):
    assert match(ids, stems) == {}


NAMES = [
    f"{case}{zeros}{end}" for case in "aA" for zeros in ("", "0", "00") for end in ("1", "1.jpg")
]
SOME = st.lists(st.sampled_from([*NAMES, *(f"p/{name}" for name in NAMES), "b_2"]), unique=True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SOME, SOME)
def test_no_two_rows_get_one_file_and_no_row_a_file_of_another(ids, stems):
    found = match(ids, stems)
    assert len(set(found.values())) == len(found)
    assert set(found.values()) <= set(stems) - set(ids)


def test_nothing_accepted_says_why_with_counts_examples_and_what_mends_it(made):
    for index in range(5):
        made.row(f"row_{index}")
        made.image(f"file_{chr(97 + index)}")
    made.add("young", age="-7")
    with pytest.raises(SchemaError) as caught:
        run(made.write()).check(made.folder)
    lines = str(caught.value).splitlines()
    assert lines[0].endswith("no image was accepted; received:")
    part = "HAM10000_images_part_1"
    assert lines[1] == (
        f"  5 × image without row: {part}/file_a.jpg, {part}/file_b.jpg, {part}/file_c.jpg, …; "
        "add a row with the file's name as image_id"
    )
    assert lines[2].startswith("  5 × row without image: row_0, row_1, row_2, …; put the image")
    assert "  1 × bad age: age '-7' 1 × (as young); years from 0 to 120, or empty" in lines


def test_an_ending_that_is_not_read_is_named(made):
    made.row("ISIC_1")
    made.image("ISIC_1").rename(made.images / "ISIC_1.tiff")
    (made.images / "notes.tiff").write_text("of no account")
    catalog = run(made.write())
    found = catalog.quarantine.set_index("reason")
    assert found.loc["ending not read", "file"] == "HAM10000_images_part_1/ISIC_1.tiff"
    assert found.loc["ending not read", "detail"].startswith("received .tiff, expected JPEG, PNG")
    assert "convert it to PNG" in " ".join(catalog.faults())


def test_a_linked_folder_is_read_and_a_circle_ends(made, tmp_path):
    made.add("ISIC_1")
    made.add("ISIC_2").unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    made.image("ISIC_2").rename(elsewhere / "ISIC_2.jpg")
    (made.folder / "more").symlink_to(elsewhere)
    (made.folder / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(made.folder)
    catalog = run(made.write())
    assert list(catalog.images["image_id"]) == ["ISIC_1", "ISIC_2"]
    assert catalog.quarantine.empty


@pytest.mark.parametrize("name", [".cache", "thumbnails", "Thumbs", "__MACOSX", "@eaDir"])
def test_hidden_and_thumbnail_folders_never_win_and_are_named(made, name):
    path = made.add("ISIC_1")
    copies = made.folder / name / "deep"
    copies.mkdir(parents=True)
    made.image("ISIC_1", shape=(90, 120, 3), suffix=".png").rename(copies / "ISIC_1.png")
    catalog = run(made.write())
    assert list(catalog.images["file"]) == [path.relative_to(made.folder).as_posix()]
    assert catalog.quarantine[["file", "reason", "detail"]].values.tolist() == [
        [name, "left out", "images in it: 1"]
    ]


def test_a_hidden_file_is_left_out(made):
    path = made.add("ISIC_1")
    shutil.copy(path, path.with_name("._ISIC_1.jpg"))
    catalog = run(made.write())
    assert list(catalog.quarantine["reason"]) == ["left out"]
    assert len(catalog.images) == 1


def test_a_dataset_below_a_hidden_folder_is_read(made, tmp_path):
    made.add("ISIC_1")
    made.write()
    hidden = tmp_path / ".hidden" / "data"
    hidden.parent.mkdir()
    made.folder.rename(hidden)
    assert len(run(hidden).images) == 1


def test_a_reason_in_a_decoder_s_own_words_is_said_too(made):
    made.add("ISIC_1").write_bytes(b"SLIMSVD1")
    said = run(made.write()).faults()
    assert said == [
        "1 × not a file of factors: HAM10000_images_part_1/ISIC_1.jpg; "
        "see the detail in the quarantine"
    ]


def test_every_reason_says_what_mends_it():
    assert all(isinstance(mend, str) and mend for mend in REASONS.values())


def test_a_table_written_by_a_spreadsheet_is_read(made):
    made.row("1", lesion="7", age="50,5")
    made.row("12", lesion="8", age="unbekannt")
    for name in ("0001", "0012"):
        made.image(name)
    catalog = run(made.write(sep=";"))
    assert pd.Series(catalog.images["age"]).tolist() == [50.5]
    assert catalog.faults()[0].startswith("1 × bad age: age 'unbekannt' 1 × (as 0012)")
