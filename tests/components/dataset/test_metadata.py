import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.labels import PAPER_CLASSES, word_to_diagnosis
from slimderm.components.dataset.layouts import REQUIRED_COLUMNS
from slimderm.components.dataset.metadata import check_rows, read_metadata, unknown_metadata

WORDS = word_to_diagnosis(PAPER_CLASSES, {})
HEADER = ",".join(REQUIRED_COLUMNS)
SOUND = "L1,ISIC_1,nv,histo,50.0,male,back"


@pytest.fixture
def read(tmp_path):
    def write_and_read(text):
        path = tmp_path / "table.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_metadata(path)

    return write_and_read


def one(**values):
    """A table with one row, sound but for `values`."""
    row = dict(zip(REQUIRED_COLUMNS, SOUND.split(","), strict=True)) | {"dataset": ""} | values
    return pd.DataFrame([row], dtype=str)


QUOTED = '"L1"\t"ISIC_1"\t"nv"\t"histo"\t50.0\t"male"\t"back"'  # as Dataverse converts tables


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{SOUND}\n",
        f"{HEADER}\r\n{SOUND}\r\n",
        f"\ufeff{HEADER}\n{SOUND}\n",
        f"{HEADER}\n\n{SOUND}\n\n",
        f"{HEADER}\n{SOUND},\n",
        f"{HEADER}\n{SOUND}\n".replace(",", "\t"),
        f"{HEADER}\n{SOUND}\n".replace(",", ";"),
        f"{HEADER}\n{SOUND}\n".replace(",", " , "),
        f"{HEADER},dataset,extra\n{SOUND},,more\n",
        f"{HEADER}\n".replace(",", "\t") + QUOTED,
    ],
    ids=[
        "unix",
        "windows",
        "mark",
        "blanks",
        "comma",
        "tab",
        "semicolon",
        "spaces",
        "more",
        "quoted",
    ],
)
def test_one_row_is_read_from_whatever_wrote_it(read, text):
    pd.testing.assert_frame_equal(read(text), one())


def test_the_order_of_columns_is_of_no_account(read):
    columns = [*REQUIRED_COLUMNS[::-1]]
    text = ",".join(columns) + "\n" + ",".join(SOUND.split(",")[::-1])
    pd.testing.assert_frame_equal(read(text), one())


@pytest.mark.parametrize("column", REQUIRED_COLUMNS)
def test_a_missing_column_is_named(read, column):
    table = one().drop(columns=[column, "dataset"])
    with pytest.raises(SchemaError, match=rf"lacks {column}; received columns"):
        read(table.to_csv(index=False))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("word", "lacks lesion_id"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "cannot be read"),
        (f"{HEADER}\n", "received no row"),
        (f"{HEADER}\n{SOUND},1,2\n", "cannot be read"),
        (f"{HEADER}\n{SOUND}\n{SOUND},1,2\n", "line 3"),
    ],
    ids=["empty", "word", "jpeg", "no row", "long", "long later"],
)
def test_what_is_no_such_table_is_an_error(read, text, said):
    with pytest.raises(SchemaError, match=said):
        read(text)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"nowhere\.csv"):
        read_metadata(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("age", "years"),
    [
        ("50", 50),
        ("50.0", 50),
        ("0", 0),
        ("120", 120),
        ("", None),
        ("unknown", None),
        ("NaN", None),
        ("50,5", 50.5),
        *(
            (spelling, None)
            for spelling in ("NA", "N/A", "None", "null", "UNK", "Unknown", "-", "?")
        ),
        *((spelling, None) for spelling in ("not available", "Not Provided", "<NA>", "#N/A", ".")),
    ],
)
def test_ages_become_numbers(age, years):
    rows, faults = check_rows(one(age=age), WORDS)
    assert not faults
    assert rows["age"].dtype == np.float64
    assert math.isnan(rows["age"].iloc[0]) if years is None else rows["age"].iloc[0] == years


@pytest.mark.parametrize("age", ["-1", "120.5", "1000", "fifty", "inf", "-inf", "0x10", "50 years"])
def test_a_bad_age_sets_the_row_apart(age):
    rows, faults = check_rows(one(age=age), WORDS)
    assert rows.empty
    (fault,) = faults
    assert (fault["image_id"], fault["reason"]) == ("ISIC_1", "bad age")
    assert f"age={age}" in fault["detail"]


@given(st.floats() | st.integers())
def test_an_age_is_taken_if_it_is_one(age):
    rows, faults = check_rows(one(age=str(age)), WORDS)
    assert len(rows) == (0 <= age <= 120 or math.isnan(age))
    assert len(rows) + len(faults) == 1


@pytest.mark.parametrize("column", ["image_id", "lesion_id", "dx"])
def test_a_row_without_its_keys_is_set_apart(read, column):
    table = pd.concat([one(), one(lesion_id="L2", image_id="ISIC_2")])
    table.iloc[0, table.columns.get_loc(column)] = " "
    rows, faults = check_rows(read(table.to_csv(index=False)), WORDS)
    assert list(rows["image_id"]) == ["ISIC_2"]
    assert [fault["reason"] for fault in faults] == [f"row without {column}"]


@pytest.mark.parametrize("fields", range(1, len(REQUIRED_COLUMNS)))
def test_a_row_that_is_cut_short_is_set_apart(read, fields):
    cut = ",".join(["L2", "ISIC_2", "nv", "histo", "50", "male", "back"][:fields])
    rows, faults = check_rows(read(f"{HEADER}\n{SOUND}\n{cut}\n"), WORDS)
    assert list(rows["image_id"]) == ["ISIC_1"]
    (fault,) = faults
    assert fault["reason"] == "row cut short"
    assert "row 3" in fault["detail"]


def test_of_equal_image_ids_the_first_row_is_kept():
    table = pd.concat([one(), one(lesion_id="L2"), one(lesion_id="L3")], ignore_index=True)
    rows, faults = check_rows(table, WORDS)
    assert list(rows["lesion_id"]) == ["L1"]
    assert [fault["reason"] for fault in faults] == ["duplicate row"] * 2


@pytest.mark.parametrize("spelling", ["", "NA", "UNK", "None", "Unknown"])
def test_what_is_not_stated_is_unknown(spelling):
    rows, _ = check_rows(one(sex=spelling, localization=spelling), WORDS)
    assert list(rows.iloc[0][["sex", "localization"]]) == ["unknown", "unknown"]


def test_words_are_read_in_any_case_and_sexes_by_their_letter():
    rows, _ = check_rows(one(sex="F", localization="Back", dx="NV"), WORDS)
    assert list(rows.iloc[0][["sex", "localization", "dx"]]) == ["female", "back", "nv"]


@pytest.mark.parametrize("dx", ["wart", "scc", "nvx"])
def test_a_diagnosis_that_no_class_gathers_sets_the_row_apart(dx):
    rows, faults = check_rows(one(dx=dx), WORDS)
    assert rows.empty
    assert [fault["reason"] for fault in faults] == ["diagnosis in no class"]
    assert faults[0]["detail"].startswith(f"dx {dx!r}; row 2: ")


def test_files_without_a_table_are_lesions_of_their_own(tmp_path):
    table = unknown_metadata([tmp_path / "a.jpg", tmp_path / "sub" / "b.png"])
    rows, faults = check_rows(table, WORDS)
    assert not faults
    assert list(rows["image_id"]) == ["a", "b"]
    assert rows["lesion_id"].is_unique
    assert set(rows["dx"]) == {"negative"}
    assert rows["age"].isna().all()
