"""`slimderm codecs` on a folder of whatever people have."""

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slimderm.components.common.errors import ImageError
from slimderm.flows.work.storage_study import study_folder

PARAMS = """\
compress: {ranks: [8], codec: jpeg, quality: 90}
storage: {max_images: null, bootstrap_samples: 50,
          qualities: {jpeg: [50, 90], webp: [50, 90], jxl_transcode: [95]}}
record: {workers: 1, cache: cache}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "my images"


def test_a_mixed_folder_is_measured_and_what_cannot_be_is_counted(folder, tmp_path, capfd):
    (folder / "one").mkdir(parents=True)
    (tmp_path / "two").mkdir()
    (folder / "linked").symlink_to(tmp_path / "two")
    for seed, name in enumerate(("one/a.jpg", "linked/a.jpg", "b.png", "c.jpg")):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        image = Image.fromarray(cv2.resize(coarse, (48, 36)))
        image.convert("CMYK" if name == "c.jpg" else "RGB").save(folder / name)
    (folder / "bad.jpg").write_bytes(b"no image")
    study_folder(folder, tmp_path / "out", 8)
    said = " ".join(capfd.readouterr().out.split())
    assert "left out: 1 images, such as" in said
    assert "bad.jpg: not an image" in said
    assert "jxl_transcode is left out for 2 images" in said
    left_out = pd.read_csv(tmp_path / "out/left_out.csv")
    assert sorted(left_out["image_id"]) == ["b.png", "bad.jpg", "c.jpg"]
    summary = pd.read_csv(tmp_path / "out/summary.csv").set_index(["codec", "quality", "k"])
    assert summary.loc["jpeg", "num_images"].tolist() == [4] * 4
    assert summary.loc["jxl_transcode", "num_left_out"].sum() == 2
    rates = pd.read_csv(tmp_path / "out/rates.csv")
    assert rates[rates["codec"] == "webp"]["rate"].notna().all()


def test_a_folder_of_which_nothing_can_be_measured_is_named(folder, tmp_path):
    folder.mkdir()
    (folder / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"received 1 images, of which none .*bad\.jpg: not an im"):
        study_folder(folder, tmp_path / "out", 8)
