"""What the page reads and answers: Python's pixels, Keras's probabilities."""

import base64
import hashlib
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slimderm.components.classification.inputs import model_inputs
from slimderm.components.dataset.images import decode_image, read_image, resize
from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.components.evaluation.calibration import tempered

DECODE = """
const {decode} = await import('/src/pixels.js');
const bytes = Uint8Array.from(atob(given[0]), (letter) => letter.charCodeAt(0));
let picture;
try {
  picture = await decode(new Blob([bytes], {type: given[1]}));
} catch (error) {
  return error.reason;
}
const {width, height} = picture;
const strips = [...picture.strips()];
picture.close();
const url = await new Promise((resolve) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.readAsDataURL(new Blob(strips));
});
return [height, width, url.split(',')[1]];
"""


@pytest.fixture(scope="module")
def decoded(page, encoded):
    """Decodes a file in Chromium: pixels, or the reason for none."""

    def decode(data, kind="image/x"):
        found = page.ask(DECODE, encoded(data), kind)
        if isinstance(found, str):
            return found
        height, width, text = found
        rgba = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
        return rgba[..., :3]

    return decode


def picture(mode="RGB", size=(37, 53), seed=0):
    """Smooth colours with noise, so that every way to store it has something to lose."""
    height, width = size
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(size)
    channels = [200 * x, 180 * y, 90 + 80 * np.sin(9 * x * y), 255 * (x + y) / 2]
    noisy = np.stack(channels, axis=-1) + draw.normal(0, 6, (height, width, 4))
    pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    count = {"RGB": 3, "RGBA": 4, "L": 1, "LA": 2}[mode]
    chosen = pixels[..., 4 - count :] if mode == "LA" else pixels[..., :count]
    return Image.fromarray(chosen.squeeze() if count == 1 else np.ascontiguousarray(chosen), mode)


def stored(image, kind, **how):
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def with_orientation(kind, orientation, mode="RGB", **how):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return stored(picture(mode), kind, exif=exif, **how)


FILES = {
    "JPEG": lambda: stored(picture(), "JPEG", quality=90),
    "JPEG, every chroma": lambda: stored(picture(), "JPEG", quality=95, subsampling=0),
    "JPEG, progressive": lambda: stored(picture(), "JPEG", progressive=True),
    "JPEG, grey": lambda: stored(picture("L"), "JPEG"),
    "PNG": lambda: stored(picture(), "PNG"),
    "PNG, grey": lambda: stored(picture("L"), "PNG"),
    "PNG, palette": lambda: stored(picture().quantize(16), "PNG"),
    "PNG, transparent": lambda: stored(picture("RGBA"), "PNG"),
    "PNG, grey and transparent": lambda: stored(picture("LA"), "PNG"),
    "PNG, a transparent colour": lambda: stored(picture().quantize(16), "PNG", transparency=3),
    "WebP": lambda: stored(picture(), "WEBP", quality=90),
    "WebP, lossless, transparent": lambda: stored(
        picture("RGBA"), "WEBP", lossless=True, exact=True
    ),
    "WebP, transparent and turned": lambda: with_orientation(
        "WEBP", 5, mode="RGBA", lossless=True, exact=True
    ),
    "JPEG, CMYK": lambda: stored(picture().convert("CMYK"), "JPEG", quality=95),
    "AVIF": lambda: stored(picture(), "AVIF", quality=90),
    "one pixel": lambda: stored(picture(size=(1, 1)), "PNG"),
    "a column": lambda: stored(picture(size=(999, 1)), "PNG"),
    **{
        f"{kind}, orientation {number}": lambda kind=kind, number=number: with_orientation(
            kind, number, **({"lossless": True} if kind == "WEBP" else {})
        )
        for kind in ("JPEG", "PNG", "WEBP")
        for number in (2, 3, 6, 7)
    },
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_those_that_python_decodes(decoded, name):
    data = FILES[name]()
    wanted = decode_image(data).astype(int)
    found = decoded(data)
    assert found.shape == wanted.shape
    apart = np.abs(found - wanted)
    assert (apart <= 1).mean() >= 0.999
    assert apart.max() <= 3


SHRINK = """
const {decode} = await import('/src/pixels.js');
const {Resizer} = await import('/src/resize.js');
const bytes = Uint8Array.from(atob(given[0]), (letter) => letter.charCodeAt(0));
const picture = await decode(new Blob([bytes]));
const resizer = new Resizer(picture.width, picture.height, 100, 80);
let most = 0;
for (const strip of picture.strips()) {
  resizer.push(strip);
  most = Math.max(most, strip.length);
}
picture.close();
return [most, [...resizer.finish()]];
"""


def test_a_huge_picture_is_read_and_shrunk_a_few_rows_at_a_time(page, encoded):
    image = Image.new("RGB", (6000, 4200), (200, 150, 120))
    image.paste(picture(size=(800, 1300)), (4500, 3300))
    data = stored(image, "JPEG", quality=92)
    most, found = page.ask(SHRINK, encoded(data))
    assert most <= 4 * 2**20  # bytes, of 100 million
    wanted = resize(decode_image(data), size=(80, 100)).astype(int)
    assert np.abs(np.reshape(found, (80, 100, 3)) - wanted).max() <= 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "emptyFile"),
        (b"no picture at all", "noPicture"),
        (stored(picture(), "JPEG")[:200], "noPicture"),
        (stored(Image.fromarray(np.zeros((9, 9), np.uint16)), "PNG"), "deepFile"),
        (stored(Image.new("1", (8100, 8000)), "PNG"), "hugeFile"),
    ],
)
def test_what_python_refuses_the_page_refuses(decoded, data, reason):
    assert decoded(data) == reason


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """200 drawn pictures, and the table of their people."""
    folder = tmp_path_factory.mktemp("drawn")
    settings = SyntheticSettings(num_lesions=160, num_negatives=1, height=90, width=120, seed=4)
    table = write_synthetic(folder, settings)[:200]
    assert len(table) == 200
    table["file"] = [
        str(folder / "HAM10000_images_part_1" / f"{name}.jpg") for name in table["image_id"]
    ]
    columns = ["image_id", "age", "sex", "localization"]
    table[columns].to_csv(folder / "people.csv", index=False)
    return folder, table


@pytest.fixture(scope="module")
def answers(page, dataset):
    """The table that the page makes of them."""
    folder, table = dataset
    page.open()
    page.find("table").send_keys(str(folder / "people.csv"))
    page.until(lambda: "Table: " in page.text("batch-chosen"))
    page.find("files").send_keys("\n".join(table["file"]))
    page.until(lambda: "200 pictures chosen." in page.text("batch-chosen"))
    page.find("batch-start").click()
    page.until(lambda: page.find("batch-save").is_displayed(), 120)
    assert page.text("batch-state") == "200 of 200 pictures; 0 could not be read."
    page.find("batch-save").click()
    saved = page.downloads / "probabilities.csv"
    page.until(saved.exists)
    found = pd.read_csv(saved, index_col="image_id").loc[table["image_id"]]
    saved.unlink()
    return found


def test_probabilities_are_keras_to_a_hundredth(dataset, answers, fresh_network, description):
    _, table = dataset
    people = table.assign(age=pd.to_numeric(table["age"]))
    images = [resize(read_image(file), size=tuple(description["size"])) for file in table["file"]]
    inputs = model_inputs(images, people, description)
    inputs = {name: np.asarray(each, np.float32) for name, each in inputs.items()}
    wanted = tempered(fresh_network.predict(inputs, verbose=0), 1.5)
    found = answers[description["classes"]].to_numpy()
    assert np.abs(found - wanted).max() < 0.01
    assert wanted.std(axis=0).max() > 0.05  # the network tells pictures apart
    names = np.array(description["classes"])[found.argmax(axis=1)]
    assert list(answers["predicted"]) == list(names)


def test_a_line_says_what_was_read_and_by_what(dataset, answers):
    _, table = dataset
    first = answers.iloc[0]
    data = Path(table["file"].iloc[0]).read_bytes()
    assert first["sha256"] == hashlib.sha256(data).hexdigest()
    assert first["file"] == Path(table["file"].iloc[0]).name
    assert set(answers["model"]) == {"slimderm version 7"}
    assert answers["calibrated"].all()
    assert answers["error"].isna().all()
