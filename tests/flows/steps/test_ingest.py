"""The first steps on own folders: the quarantine is always there, near pairs are bound."""

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import SchemaError
from slimderm.flows.config import layout
from slimderm.flows.steps.ingest import ingest_dataset
from slimderm.flows.steps.split import split_lesions

COLUMNS = ["img_id", "diagnostic", "lesion_id", "patient_id", "age", "gender", "region", "biopsed"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text("ingest: {source: own}\n")
    (tmp_path / "own").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "own"


def picture(seed):
    coarse = np.random.default_rng(seed).integers(30, 226, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(coarse, (64, 48), interpolation=cv2.INTER_CUBIC)


def fill(folder, images):
    rows = []
    for index, (name, image) in enumerate(images.items()):
        cv2.imwrite(str(folder / f"{name}.png"), image)
        dx = "MEL" if index % 2 else "NEV"
        rows.append((f"{name}.png", dx, index, f"p{index}", 50, "MALE", "ARM", True))
    pd.DataFrame(rows, columns=COLUMNS).to_csv(folder / "metadata.csv", index=False)


def test_near_duplicates_of_two_lesions_stay_together_and_stand_in_a_table(place, capfd):
    images = {f"i{seed:02d}": picture(seed) for seed in range(24)}
    images |= {f"j{seed:02d}": cv2.resize(picture(seed), (32, 24)) for seed in range(24)}
    fill(place, images)
    ingest_dataset.fn()
    split_lesions.fn()
    pairs = pd.read_csv(layout.NEAR_DUPLICATES)
    assert {tuple(pair) for pair in pairs[["image_id", "other_id"]].values} == {
        (f"i{seed:02d}", f"j{seed:02d}") for seed in range(24)
    }
    parts = pd.read_csv(layout.SPLITS).set_index("image_id")["part"]
    assert parts.nunique() == 3
    assert [parts[f"i{seed:02d}"] for seed in range(24)] == [
        parts[f"j{seed:02d}"] for seed in range(24)
    ]
    said = capfd.readouterr().out
    assert "layout PAD-UFES-20, read from metadata.csv" in said
    assert "48 × image_id differs from its file's name in the ending alone" in said
    assert "24 pairs of near duplicates, 24 of them of two lesions" in " ".join(said.split())


def test_the_quarantine_is_written_where_no_image_is_accepted(place, capfd):
    fill(place, {"a": picture(0), "b": picture(1)})
    for name in ("a", "b"):
        (place / f"{name}.png").rename(place / f"other_{name}.png")
    with pytest.raises(SchemaError, match=r"no image was accepted; received:\n  2 × image without"):
        ingest_dataset.fn()
    assert sorted(pd.read_csv(layout.QUARANTINE)["reason"]) == [
        *["image without row"] * 2,
        *["row without image"] * 2,
    ]
    assert not layout.RAW.exists()


def test_the_quarantine_is_written_where_there_is_no_table(place):
    cv2.imwrite(str(place / "a.png"), picture(0))
    with pytest.raises(SchemaError, match="received tables none"):
        ingest_dataset.fn()
    found = pd.read_csv(layout.QUARANTINE)
    assert list(found["reason"]) == ["no dataset"]
    assert "received tables none" in found["detail"].iloc[0]
