"""Labels that come later: what is refused, what is kept, and figures counted by hand."""

import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import SchemaError
from slimderm.components.monitoring.labels import KEPT, accuracy_table, read_delivery

WORDS = {"mel": "melanoma", "melanoma": "melanoma", "nv": "nevus", "nevus": "nevus"}
IDS = ["a1", "b2", "c3", "d4"]
INPUTS = pd.DataFrame(
    {"prediction_id": IDS, "model": "slimderm/3", "at": "2026-11-30T06:00Z"}
    | {"predicted": ["melanoma", "nevus", "nevus", "nevus"], "confidence": 0.75}
)
NONE = pd.DataFrame(columns=list(KEPT), dtype=str)


def deliver(folder, *rows, before=NONE, columns="prediction_id,diagnosis,lesion_id", **how):
    file = folder / "table.csv"
    file.write_text("\n".join([columns, *rows]) + "\n")
    return read_delivery(file, WORDS, INPUTS, before, **how)


def test_labels_are_joined_with_what_was_predicted(tmp_path):
    found = deliver(tmp_path, "a1,Nevus,L1", "b2,nv,", ",mel,", "c3,,", "a1,nv,L1")
    assert found.labels[["prediction_id", "label", "predicted", "lesion_id"]].to_dict("list") == {
        "prediction_id": ["a1", "b2"],
        "label": ["nevus", "nevus"],
        "predicted": ["melanoma", "nevus"],
        "lesion_id": ["L1", ""],
    }
    assert (found.known, found.empty, found.corrected) == (0, 2, 0)
    again = deliver(tmp_path, "a1,nevus,L1", "d4,mel,L4", before=found.labels)
    assert again.labels["prediction_id"].tolist() == ["d4"]
    assert again.known == 1


def test_a_batchs_own_table_with_a_column_more_is_one(tmp_path):
    columns = "file,image_id,prediction_id,predicted,diagnosis"
    found = deliver(tmp_path, "my photos/x.jpg,x,c3,nevus,mel", columns=columns)
    assert "file" not in found.labels
    assert found.labels["label"].tolist() == ["melanoma"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["zz,nv,"], r"an id that is not in the record of inputs: row 2 \(zz, nv\)"),
        (
            ["a1,wart,"],
            r"of no class, expected one of mel, melanoma, nevus, nv: row 2 \(a1, wart\)",
        ),
        (["a1,nv,", "a1,mel,"], r"one prediction with two labels: row 2 .*, row 3"),
        (["a1,nv,L", "b2,mel,L"], r"one lesion with two labels: row 2 .*, row 3"),
        (["c3,mel,"], r"another label than is known; CORRECT=1 .*: row 2 \(c3, mel\)"),
        (["d4,mel,K"], r"one lesion with two labels: row 2"),
        (["a1,wart,", "zz,nv,"], r"of no class.*row 2.*\nand an id that is not.*row 3"),
        (["a1,x,"] * 7, r"\(a1, x\) and 2 more"),
    ],
)
def test_a_table_with_a_fault_is_refused_whole(tmp_path, rows, said):
    before = deliver(tmp_path, "c3,nv,K").labels
    with pytest.raises(SchemaError, match=f"table.csv: nothing was kept. Received .*{said}"):
        deliver(tmp_path, *rows, before=before)


def test_a_label_is_corrected_where_that_is_said(tmp_path):
    before = deliver(tmp_path, "c3,nv,K", "a1,nv,").labels
    found = deliver(tmp_path, "c3,mel,K", before=before, correct=True)
    assert found.labels["label"].tolist() == ["melanoma"]
    assert found.corrected == 1


def test_a_table_without_ids_is_refused(tmp_path):
    with pytest.raises(SchemaError, match="received columns image_id, diagnosis, expected pred"):
        deliver(tmp_path, "a,nv", columns="image_id,diagnosis")


def labelled(*lesions):
    """A row an image: lesion, label, prediction, month."""
    rows = pd.DataFrame(lesions, columns=["lesion_id", "label", "predicted", "at"])
    return rows.assign(prediction_id=[f"p{number}" for number in range(len(rows))])


def test_figures_are_counted_by_image_and_resampled_by_lesion():
    random = np.random.default_rng(0)
    rows = [(f"M{i // 2}", "melanoma", "melanoma" if i % 4 < 3 else "nevus") for i in range(48)]
    rows += [("", "nevus", "nevus" if i % 5 else "other") for i in range(50)]
    table = labelled(*[(*row, f"2026-{10 + i % 2}-03T01:00Z") for i, row in enumerate(rows)])
    found = accuracy_table(table, num_samples=400, confidence=0.9, seed=1).set_index(
        ["when", "figure"]
    )
    assert found.loc[("all", "accuracy"), "value"] == pytest.approx((36 + 40) / 98)
    assert found.loc[("all", "balanced_accuracy"), "value"] == pytest.approx((0.75 + 0.8) / 2)
    row = found.loc[("all", "melanoma_sensitivity")]
    assert (row["value"], row["num_images"], row["num_lesions"]) == (0.75, 48, 24)
    right = np.repeat([[1.0, 0.5]], 12, axis=0).ravel()  # of each lesion, half of its two images
    drawn = random.choice(right, (4000, 24)).mean(axis=1)
    low, high = np.quantile(drawn, [0.05, 0.95])
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.035)
    month = found.loc[("2026-10", "melanoma_sensitivity")]
    assert month["num_images"] == 24


def test_too_few_lesions_have_no_figure():
    table = labelled(*[("L1", "nevus", "nevus", "2026-11-03")] * 30)
    found = accuracy_table(table, num_samples=100, confidence=0.95, seed=0)
    assert found["value"].isna().all()
    assert set(found["note"]) == {"fewer than 20 lesions: too few to tell"}
    assert found.loc[found["figure"] == "accuracy", "num_lesions"].tolist() == [1, 1]
