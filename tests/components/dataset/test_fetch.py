"""A whole dataset, from the publisher's facts to the official layout."""

import io
import stat
import zipfile
from dataclasses import replace

import pytest

from slimderm.components.common.errors import DownloadError
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.download import fetch_dataset
from slimderm.components.dataset.download_source import OFFICIAL, fetch_facts
from slimderm.components.dataset.labels import PAPER_CLASSES


def zipped(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.fixture
def official(server, made):
    """The official sources, served from here: two archives and a table that was converted."""
    made.add("ISIC_1", dx="mel")
    made.add("ISIC_2")
    table = (made.write() / "HAM10000_metadata.csv").read_bytes()
    files = [made.images / f"ISIC_{number}.jpg" for number in (1, 2)]
    parts = [zipped([(file.name, file.read_bytes())]) for file in files]
    here = []
    for number, (source, data) in enumerate(zip(OFFICIAL, [*parts, table], strict=True)):
        query = source.url.partition("?")[2]
        facts = {}
        if query:  # what Dataverse states of a table: the conversion's size, the original's md5
            facts = {"filesize": len(data) + 140_210, "originalFileSize": len(data)}
            server.files[f"/{number}"] = data.replace(b",", b"\t")
        name = f"{number}?{query}" if query else f"{number}"
        offered = server.offer(name, data, target=source.target, **facts)
        here.append(offered)
    return here


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_the_official_list_asks_for_what_the_checksum_is_of():
    assert [source.target for source in OFFICIAL] == [
        "HAM10000_images_part_1/",
        "HAM10000_images_part_2/",
        "HAM10000_metadata.csv",
    ]
    for source, number in zip(OFFICIAL, (3172585, 3172584, 4338392), strict=True):
        assert source.facts_url == f"https://dataverse.harvard.edu/api/files/{number}"
        assert f"https://dataverse.harvard.edu/api/access/datafile/{number}" in source.url
    assert OFFICIAL[2].url.endswith("?format=original")


def test_a_dataset_is_laid_out_once_and_ingested(server, official, tmp_path):
    seen = []
    folder = tmp_path / "ham"
    for _ in range(2):
        fetch_dataset(folder, official, progress=lambda *told: seen.append(told))
    assert names(folder) == [
        "HAM10000_images_part_1",
        "HAM10000_images_part_1/ISIC_1.jpg",
        "HAM10000_images_part_2",
        "HAM10000_images_part_2/ISIC_2.jpg",
        "HAM10000_metadata.csv",
    ]
    assert server.asked("/0") == [None]
    assert [name for name, _ in seen] == [source.target for source in official]
    catalog = ingest(folder, classes=PAPER_CLASSES)
    assert catalog.quarantine.empty
    assert list(catalog.images["label"]) == ["melanoma", "nevus"]


def test_a_stop_between_files_is_gone_on_from(server, official, tmp_path):
    server.codes = [404]
    with pytest.raises(DownloadError, match="HTTP 404"):
        fetch_dataset(tmp_path / "ham", official)
    del server.files["/1"]
    with pytest.raises(DownloadError, match="HTTP 404"):
        fetch_dataset(tmp_path / "ham", official)
    assert "HAM10000_images_part_1/ISIC_1.jpg" in names(tmp_path / "ham")
    assert not (tmp_path / "ham/HAM10000_images_part_2").exists()
    assert server.asked("/0") == [None, None]


def evil(entry):
    return zipped([("ISIC_1.jpg", b"1"), (entry, b"evil")])


def link():
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    "data",
    [b"<html>go away</html>", evil("../out"), evil(link()), evil("a" * 300), evil("ISIC_1.jpg/a")],
    ids=["no zip", "outside", "link", "long name", "file as folder"],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_that_cannot_be_unpacked_leaves_no_folder(server, tmp_path, data):
    source = server.offer("p.zip", data, target="part/")
    for _ in range(2):
        with pytest.raises(DownloadError, match=r"part\.zip"):
            fetch_dataset(tmp_path / "ham", [source])
        assert names(tmp_path) == ["ham", "ham/part.zip"]
    honest = server.offer("p.zip", zipped([("ISIC_1.jpg", b"1")]), target="part/")
    fetch_dataset(tmp_path / "ham", [honest])
    assert names(tmp_path / "ham") == ["part", "part/ISIC_1.jpg"]


def test_an_archive_nobody_vouches_for_is_fetched_anew(server, tmp_path):
    source = replace(server.offer("p.zip", b"half", target="part/"), facts_url=None)
    with pytest.raises(DownloadError, match="no zip archive"):
        fetch_dataset(tmp_path, [source])
    server.files["/p.zip"] = zipped([("ISIC_1.jpg", b"1")])
    fetch_dataset(tmp_path, [source])
    assert names(tmp_path) == ["part", "part/ISIC_1.jpg"]


def test_facts_of_either_form_are_read(server):
    source = server.offer("a", b"abc")
    assert fetch_facts(source) == ("md5:900150983cd24fb0d6963f7d28e17f72", 3)
    source = server.offer("a", b"abc", checksum={"type": "SHA-256", "value": "AB12"})
    assert fetch_facts(source) == ("sha256:ab12", 3)
    assert fetch_facts(replace(source, checksum="md5:00")) == ("md5:00", 3)
    original = server.offer("a?format=original", b"abc", filesize=5)
    assert fetch_facts(original) == ("md5:900150983cd24fb0d6963f7d28e17f72", None)


@pytest.mark.parametrize("reply", [None, b"<html>", b"[]", b'{"data": {"dataFile": {}}}'])
def test_a_publisher_without_facts_is_an_error(server, tmp_path, reply):
    source = server.offer("a", b"abc")
    server.files["/facts/a"] = reply
    with pytest.raises(DownloadError, match="received no checksum"):
        fetch_dataset(tmp_path, [source])
    assert names(tmp_path) == []


def test_an_unknown_algorithm_is_named(server, tmp_path):
    source = server.offer("a", b"abc", checksum={"type": "CRC-7", "value": "1"})
    with pytest.raises(DownloadError, match="received algorithm 'crc7'"):
        fetch_dataset(tmp_path, [source])
