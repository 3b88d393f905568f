"""The models of a short run in use: one image, a folder, and what is no image."""

import hashlib
import shutil

import pandas as pd
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def reproduced(made_workspace):
    return made_workspace()


def test_predict_and_promote_use_the_registered_model(reproduced):
    workspace = reproduced
    image = next((workspace.folder / "data/raw/images").glob("*.jpg"))
    known = ["--age", "45", "--sex", "female", "--site", "back"]
    said = workspace.run("python", "-m", "slimderm", "predict", str(image), *known).stdout
    assert "challenger" in said
    assert "melanoma" in said
    workspace.run("python", "-m", "slimderm", "promote", "--why", "a test on a few images")
    assert "champion" in workspace.run("python", "-m", "slimderm", "predict", str(image)).stdout


@pytest.mark.slow
def test_a_folder_is_classified_and_a_faulty_file_gets_a_row_that_says_so(reproduced, tmp_path):
    workspace = reproduced
    workspace.run("python", "-m", "slimderm", "promote", "--why", "a test on a few images")
    folder = tmp_path / "photos"
    folder.mkdir()
    source = sorted((workspace.folder / "data/raw/images").glob("*.jpg"))
    for path in source[:3]:
        shutil.copy(path, folder / path.name)
    (folder / "broken.jpg").write_bytes(b"no image")
    (folder / "lost.jpg").symlink_to(folder / "nowhere.jpg")
    table = tmp_path / "people.csv"
    table.write_text(f"image_id,age,sex\n{source[0].stem},45,female\n")
    out = str(tmp_path / "out.csv")
    arguments = (str(folder), out, "--metadata", str(table))
    command = ["python", "-m", "slimderm", "batch", *arguments]
    assert "3 images in" in workspace.run(*command).stdout
    found = pd.read_csv(out, keep_default_na=False).set_index("image_id")
    assert len(found) == 5
    assert "broken.jpg" in found.loc["broken", "file"]
    assert found.loc["broken", "error"]
    assert "No such file" in found.loc["lost", "error"]
    classes = ["melanoma", "negative", "nevus", "other"]
    good = found.drop(["broken", "lost"])
    sums = good[classes].astype(float).sum(axis=1)
    assert sums.between(1 - 1e-9, 1 + 1e-9).all()
    for name, row in good.iterrows():
        path = folder / f"{name}.jpg"
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert row["predicted"] == max(classes, key=lambda each: float(row[each]))
    table.write_text("image_id,age\nx,old\n")
    refused = workspace.run(*command, check=False)
    assert refused.returncode == 1
    assert "SchemaError" in refused.stdout
    assert "received age 'old' of 'x'" in refused.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.jpg"], "nowhere.jpg"),
        (["README.md"], "README.md"),
        (["x.jpg", "--age", "old"], "AGE"),
    ],
)
def test_predict_answers_bad_input_with_an_error(reproduced, arguments, said):
    done = reproduced.run("python", "-m", "slimderm", "predict", *arguments, check=False)
    assert done.returncode == 1
    assert said in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
