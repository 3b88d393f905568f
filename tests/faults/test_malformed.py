"""200 malformed inputs by seeded mutation: each has a clear outcome, and nothing is lost."""

import io
import random
import shutil
import zipfile
import zlib
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from slimderm.components.common.errors import DownloadError, ParameterError, SchemaError
from slimderm.components.compression import codecs
from slimderm.components.dataset.archives import unpack_safely
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.factors import HEAD
from slimderm.components.dataset.formats import SUFFIXES
from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.flows.config.params import read_params

EACH = 50
# A codec for each ending; where two share one, the first of the table.
KINDS = {codec.suffix: codec.name for codec in reversed(codecs.CODECS.values())}
IMAGES = {  # EACH in all
    name: EACH // len(KINDS) + (index < EACH % len(KINDS))
    for index, name in enumerate(KINDS.values())
}
BYTES = bytes(range(256))
PIECES = [b"", b"\0", b"\xff\xfe", b"\n", b",", b'"', b"nan", b"-1", b"1e999", b"../x", b"[", b"{"]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Delete, overwrite, insert, repeat, or put in a piece that has done harm elsewhere."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8))):
        start = chance.randrange(len(out) + 1)
        end = min(len(out), start + chance.choice((1, 2, 16, 200)))
        match chance.choice(("cut", "overwrite", "insert", "repeat", "piece", "end")):
            case "cut":
                del out[start:end]
            case "overwrite":
                out[start:end] = bytes(chance.choices(BYTES, k=end - start))
            case "insert":
                out[start:start] = bytes(chance.choices(BYTES, k=chance.choice((1, 9, 99))))
            case "repeat":
                out[start:start] = out[start:end] * chance.choice((1, 3))
            case "piece":
                out[start:end] = chance.choice(PIECES)
            case "end":
                del out[start:]
    return bytes(out)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small dataset in HAM10000's layout."""
    folder = tmp_path_factory.mktemp("good") / "source"
    settings = SyntheticSettings(num_lesions=22, num_negatives=0, height=40, width=50, seed=0)
    write_synthetic(folder, settings)
    return folder


@pytest.fixture
def source(good, tmp_path):
    shutil.copytree(good, tmp_path / "source")
    return tmp_path / "source"


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def metadata_of(source):
    return next(path for path in source.iterdir() if path.name.startswith("HAM10000_metadata"))


CLASSES = {"melanoma": ["mel"], "nevus": ["nv"], "other": ["akiec", "bcc", "bkl", "df", "vasc"]}


def sealed(data):
    """A file of factors with the checksum of what it holds, so that this is read, too."""
    checksum = zlib.crc32(data[HEAD.size :]).to_bytes(4, "little")
    return data[: HEAD.size - 4] + checksum + data[HEAD.size :]


@pytest.mark.parametrize("kind", IMAGES)
def test_malformed_images(source, kind, outcome, capfd):
    chance, came = random.Random(kind), Counter()
    images = sorted(path for path in source.rglob("*") if path.suffix in SUFFIXES)
    victim = images[0]
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    codec = codecs.get(kind)
    whole = codec.encode(pixels, 90)
    victim.unlink()
    # Where ingest does not look for an ending, it still knows an image by its bytes.
    victim = victim.with_suffix(codec.suffix if codec.suffix in SUFFIXES else ".png")
    for _ in range(IMAGES[kind]):
        data = mutated(whole, chance)
        victim.write_bytes(sealed(data) if kind == "factors" else data)
        before = files_of(source)
        catalog = ingest(source, classes=CLASSES)
        accepted = victim.stem in set(catalog.images["image_id"])
        refused = catalog.quarantine[catalog.quarantine["image_id"] == victim.stem]
        assert accepted != (len(refused) > 0)
        assert accepted or refused["detail"].iloc[0]
        assert len(catalog.images) == len(images) - (not accepted)
        assert files_of(source) == before
        came["accepted" if accepted else "in quarantine"] += 1
    assert came["in quarantine"]
    assert capfd.readouterr().err == ""
    outcome(f"{sum(came.values())} mutated {kind} images", say(came))


def test_malformed_metadata(source, outcome, capfd):
    chance, came = random.Random(1), Counter()
    table = metadata_of(source)
    whole, number = table.read_bytes(), len(pd.read_csv(table))
    for _ in range(EACH):
        table.write_bytes(mutated(whole, chance))
        before = files_of(source)
        try:
            catalog = ingest(source, classes=CLASSES)
        except SchemaError as error:
            assert table.name in str(error) or "image" in str(error)
            came["SchemaError"] += 1
        else:
            found = set(catalog.images["image_id"]) | set(catalog.quarantine["image_id"])
            images = {path.stem for path in source.rglob("*") if path.suffix in SUFFIXES}
            assert images <= found | {""}
            came["all rows good" if len(catalog.images) == number else "rows in quarantine"] += 1
        assert files_of(source) == before
    assert came["SchemaError"]
    assert came["rows in quarantine"]
    assert capfd.readouterr().err == ""
    outcome(f"{EACH} mutated metadata tables", say(came))


def test_malformed_parameters(soak, tmp_path, outcome, capfd):
    chance, came = random.Random(2), Counter()
    path = tmp_path / "params.yaml"
    for _ in range(EACH):
        data = mutated(soak.encode(), chance)
        path.write_bytes(data)
        try:
            read_params(path)
        except ParameterError as error:
            assert "params.yaml" in str(error)
            came["ParameterError"] += 1
        else:
            came["accepted"] += 1
        assert path.read_bytes() == data
    assert came["ParameterError"]
    assert capfd.readouterr().err == ""
    outcome(f"{EACH} mutated params.yaml", say(came))


def test_malformed_archives(tmp_path, outcome, capfd):
    chance, came = random.Random(3), Counter()
    whole = io.BytesIO()
    content = {f"images/{number}.jpg": BYTES * 4 for number in range(4)}
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    place = tmp_path / "place"
    place.mkdir()
    for number in range(EACH):
        path = place / "archive.zip"
        path.write_bytes(data := mutated(whole.getvalue(), chance))
        folder = place / f"unpacked-{number}"
        try:
            unpack_safely(path, folder, max_bytes=10**6)
        except DownloadError as error:
            assert str(path) in str(error)
            came["DownloadError"] += 1
            assert {each.name for each in place.iterdir()} == {"archive.zip"}
        else:
            came["unpacked"] += 1
            shutil.rmtree(folder)
        assert path.read_bytes() == data
        assert {each.name for each in tmp_path.iterdir()} == {"place"}
    assert came["DownloadError"]
    assert capfd.readouterr().err == ""
    outcome(f"{EACH} mutated archives", say(came))


def say(came):
    return ", ".join(f"{number} {what}" for what, number in came.most_common())
