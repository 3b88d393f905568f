"""Parts of the page that need no browser: tables, people, words, windows, orientation."""

import io
import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from slimderm.components.classification import picture
from slimderm.components.dataset.labels import DIAGNOSES, PAPER_CLASSES
from slimderm.components.dataset.metadata import MAX_AGE
from slimderm.components.dataset.settings import MAX_MEGAPIXELS
from slimderm.components.training.metadata import MetadataEncoder


@pytest.fixture(scope="module")
def call(node):
    """Calls functions of a module with JSON; gives what they return."""

    def run(module, expression, **given):
        script = f"""
        const {{readFileSync}} = await import('node:fs');
        const given = JSON.parse(readFileSync(0));
        const module = await import(`${{SRC}}/{module}.js`);
        console.log(JSON.stringify(await ({expression})));
        """
        return json.loads(node(script, json.dumps(given).encode()))

    return run


def sources(root):
    return {path.name: path.read_text() for path in sorted((root / "kiosk/src").glob("*.js"))}


@pytest.fixture(scope="module")
def texts(request):
    return sources(request.config.rootpath)


def test_every_text_is_there_in_every_language_with_the_same_blanks(call):
    found = call("strings", "[module.LANGUAGES, module.STRINGS, module.WORDS]")
    languages, strings, words = found
    assert set(languages) == {"en", "de"}
    for key, texts in (strings | words).items():
        assert set(texts) == set(languages), key
        blanks = [sorted(re.findall(r"\{\w+\}", text)) for text in texts.values()]
        assert all(each == blanks[0] for each in blanks), key
        assert all(text.strip() == text != "" for text in texts.values()), key
    assert {*PAPER_CLASSES, *DIAGNOSES} <= set(words)


def test_every_text_that_the_page_names_is_there_and_none_is_left_over(call, texts, request):
    strings = set(call("strings", "Object.keys(module.STRINGS)"))
    html = (request.config.rootpath / "kiosk/index.html").read_text()
    named = set(re.findall(r'data-(?:text|label)="(\w+)"', html))
    for name, code in texts.items():
        if name != "strings.js":
            named |= set(re.findall(r"'(\w+)'", code)) | set(re.findall(r"^\s+(\w+): ", code, re.M))
    assert strings <= named
    shown = set(re.findall(r'data-(?:text|label)="(\w+)"', html))
    for code in texts.values():
        shown |= set(re.findall(r"\b(?:text|say|PictureError)\('(\w+)'", code))
    assert shown <= strings


def test_limits_that_python_has_too_are_the_same(call, texts):
    assert f"MEGAPIXELS = {MAX_MEGAPIXELS:g};" in texts["pixels.js"]
    assert f"OLDEST = {MAX_AGE};" in texts["person_form.js"]
    limits, side = call("checks", "[module.LIMITS, module.LONG_SIDE]")
    names = {
        "dark": "DARK",
        "bright": "BRIGHT",
        "blurred": "BLURRED",
        "skin": "SKIN",
        "long": "LONG",
    }
    assert limits == {ours: getattr(picture, theirs) for ours, theirs in names.items()}
    assert side == picture.LONG_SIDE


PEOPLE = [
    {"age": 45.0, "sex": "male", "localization": "face"},
    {"age": None, "sex": "unknown", "localization": "back"},
    {"age": 0.0, "sex": "", "localization": "elsewhere"},
]
ENCODERS = {
    "words": MetadataEncoder(50.0, 51.25, 17.5, ("unknown", "female", "male"),
                             ("unknown", "back", "face")),
    "one word": MetadataEncoder(0.0, 0.0, 1.0, ("unknown",), ("unknown",)),
}  # fmt: skip


@pytest.mark.parametrize("name", ENCODERS)
def test_a_person_is_encoded_as_in_python(call, name):
    encoder = ENCODERS[name]
    model = {"encoder": encoder.to_dict(), "inputs": {"image": [], "metadata": [1, 3]}}
    found = call(
        "person",
        "given.people.map(p => [...module.personInputs(p, given.model).metadata])",
        people=PEOPLE,
        model=model,
    )
    wanted = encoder.transform(pd.DataFrame(PEOPLE).replace("", "unknown"))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_plain_inputs_are_years_and_places(call):
    names = ("age", "sex", "localization")
    encoder = ENCODERS["words"].to_dict()
    model = {"encoder": encoder, "inputs": {"image": [], **{name: [1, 1] for name in names}}}
    found = call(
        "person",
        "given.people.map(p => Object.values(module.personInputs(p, given.model)).map(v => v[0]))",
        people=PEOPLE,
        model=model,
    )
    assert found == [[45, 2, 2], [50, 0, 1], [0, 0, 0]]


def test_an_input_that_nobody_knows_is_an_error(call):
    model = {"encoder": ENCODERS["words"].to_dict(), "inputs": {"image": [], "weight": [1, 1]}}
    said = call(
        "person",
        "(() => { try { module.personInputs(given.p, given.model); } catch (e) {"
        " return e.message; } })()",
        p=PEOPLE[0],
        model=model,
    )
    assert said == "model.json: received the unknown input weight"


def test_tables_are_read_and_written_as_pandas_does(call):
    frame = pd.DataFrame(
        {"image_id": ["a", "b,c", 'd "e"'], "age": ["45", "", "7"], "sex": ["male", "", "x\ny"]}
    )
    for separator in (",", ";", "\t"):
        for ending in ("\n", "\r\n"):
            text = "\ufeff" + frame.to_csv(index=False, sep=separator, lineterminator=ending)
            assert call("csv", "module.readCsv(given.text)", text=text) == frame.to_dict("records")
    lines = call("csv", "given.rows.map(module.csvLine).join('')", rows=frame.values.tolist())
    again = pd.read_csv(io.StringIO(lines), header=None, keep_default_na=False, dtype=str)
    assert again.values.tolist() == frame.values.tolist()
    assert call("csv", "module.csvLine(['=1+1', -1.5])") == "'=1+1,-1.5\n"
    assert call("csv", "module.readCsv('')") == []


@pytest.mark.parametrize(
    ("probabilities", "bits", "level"),
    [
        ([1, 0, 0, 0], 0, "decided"),
        ([0.5, 0.5, 0, 0], 1, "leaning"),
        ([0.25] * 4, 2, "undecided"),
        ([1], 0, "decided"),
    ],
)
def test_entropy_is_that_counted_by_hand(call, probabilities, bits, level):
    found = call("uncertainty", "module.uncertainty(given.p)", p=probabilities)
    assert (found["bits"], found["level"]) == (pytest.approx(bits), level)


def test_windows_cover_every_pixel_and_stay_inside(call):
    sizes = [[48, 64], [100, 50], [7, 7], [1, 5], [3, 200]]
    for (height, width), found in zip(
        sizes, call("occlusion", "given.sizes.map(s => module.windows(...s))", sizes=sizes),
        strict=True,
    ):  # fmt: skip
        seen = np.zeros((height, width), int)
        for each in found:
            rows = slice(each["top"], each["top"] + each["height"])
            columns = slice(each["left"], each["left"] + each["width"])
            assert seen[rows, columns].size == each["height"] * each["width"]
            seen[rows, columns] += 1
        assert seen.min() >= 1
        assert len(found) <= 121


def test_the_part_that_an_answer_rests_on_is_found_and_a_cancelled_search_gives_none(call):
    """The answer here is one pixel's red: only windows over it change that."""
    script = """
    (async () => {
      const rgb = new Uint8ClampedArray(24 * 36 * 3).fill(100);
      rgb[(5 * 36 + 30) * 3] = 250;
      const red = async (pixels) => pixels[(5 * 36 + 30) * 3] / 255;
      const all = await module.occlusion(rgb, [24, 36], red, async () => true);
      const none = await module.occlusion(rgb, [24, 36], red, async (share) => share < 0.5);
      return [Array.from(all), none];
    })()
    """
    heat, none = call("occlusion", script)
    heat = np.reshape(heat, (24, 36))
    assert none is None
    rows, columns = np.nonzero(heat > heat.max() - 1e-6)
    assert (5 in rows) and (30 in columns)
    mean = (100 * (24 * 36 - 1) + 250) / (24 * 36)
    assert heat.max() == pytest.approx((250 - mean) / 255, abs=0.002)
    assert heat[12:, :18].max() == 0


@pytest.mark.parametrize("colour", [(200, 150, 120), (60, 160, 70)])
def test_brightness_sharpness_and_skin_are_those_that_numpy_and_opencv_measure(call, colour):
    draw = np.random.default_rng(0)
    pixels = np.clip(draw.normal(colour, 30, (23, 31, 3)), 0, 255).astype(np.uint8)
    found = call(
        "checks", "module.measure(Uint8Array.from(given.rgb), 31, 23)", rgb=pixels.ravel().tolist()
    )
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    laplacian = cv2.Laplacian(grey, cv2.CV_64F)[1:-1, 1:-1]
    red = pixels[..., 0].astype(int)
    skin = (red == pixels.max(axis=2)) & (red - pixels.min(axis=2) >= 10) & (red >= 40)
    assert found["brightness"] == pytest.approx(grey.mean(), rel=1e-5)
    assert found["sharpness"] == pytest.approx(laplacian.var(), rel=1e-4)
    assert found["skin"] == pytest.approx(skin.mean())


def test_webp_orientations_are_read_and_pixels_turned_as_pillow_does(call):
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (3, 5, 3), dtype=np.uint8)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "WEBP", lossless=True, exif=exif)
        stated = call(
            "orientation",
            "module.webpOrientation(Uint8Array.from(given.file))",
            file=[*file.getvalue()],
        )
        assert stated == orientation
        wanted = np.asarray(ImageOps.exif_transpose(Image.open(file)).convert("RGBA"))
        found = call(
            "orientation",
            "(({rgba, width, height}) => [[...rgba], height, width])"
            "(module.turned(Uint8Array.from(given.rgba), 5, 3, given.orientation))",
            rgba=np.dstack([pixels, np.full((3, 5), 255, np.uint8)]).ravel().tolist(),
            orientation=orientation,
        )
        np.testing.assert_array_equal(np.reshape(found[0], (*found[1:], 4)), wanted)


def test_what_is_no_webp_is_upright(call):
    for file in ([], [*b"RIFF"], [*b"RIFF0000WEBPEXIF\xff\xff\xff\xff"], [255] * 40):
        expression = "module.webpOrientation(Uint8Array.from(given.file))"
        assert call("orientation", expression, file=file) == 1
