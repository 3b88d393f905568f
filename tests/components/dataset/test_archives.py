import stat
import zipfile

import pytest

from slimderm.components.common.errors import DownloadError
from slimderm.components.dataset.archives import unpack_safely


def make(path, entries):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return path


def test_an_honest_archive_is_unpacked(tmp_path):
    archive = make(tmp_path / "a.zip", [("x/1.jpg", b"1"), ("2.jpg", b"2")])
    unpack_safely(archive, tmp_path / "out")
    assert (tmp_path / "out/x/1.jpg").read_bytes() == b"1"
    assert (tmp_path / "out/2.jpg").read_bytes() == b"2"


def link():
    entry = zipfile.ZipInfo("link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("../evil", "outside"),
        ("/evil", "outside"),
        ("a/../../evil", "outside"),
        ("..\\evil", "outside"),
        ("C:/evil", "outside"),
        (link(), "is a link"),
        ("bomb", "would unpack to"),
    ],
    ids=str,
)
def test_an_evil_archive_writes_nothing(tmp_path, entry, said):
    archive = make(tmp_path / "a.zip", [("good.jpg", b"1"), (entry, b"0" * 2000)])
    limit = 1500 if entry == "bomb" else 10**6
    with pytest.raises(DownloadError, match=said):
        unpack_safely(archive, tmp_path / "sub" / "out", max_bytes=limit)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "sub"]


def test_an_encrypted_entry_is_refused(tmp_path):
    archive = make(tmp_path / "a.zip", [("1.jpg", b"1")])
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match="encrypted"):
        unpack_safely(archive, tmp_path / "out")


def test_an_entry_for_the_folder_itself_does_no_harm(tmp_path):
    archive = make(tmp_path / "a.zip", [("./", b""), ("./1.jpg", b"1"), ("x/", b"")])
    unpack_safely(archive, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["1.jpg", "x"]


def test_a_bomb_that_understates_its_size_is_found(tmp_path):
    archive = make(tmp_path / "a.zip", [("bomb", b"0" * 100_000)])
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(signature) + offset
        data[at : at + 4] = (10).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match="damaged"):
        unpack_safely(archive, tmp_path / "out", max_bytes=1000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("entries", [["a", "a/b"], ["a/b", "a"], ["a" * 300]], ids=len)
def test_what_the_disk_refuses_leaves_nothing(tmp_path, entries):
    archive = make(tmp_path / "a.zip", [(entry, b"1") for entry in entries])
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        unpack_safely(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_what_a_killed_process_left_is_swept_away(tmp_path):
    left = tmp_path / ".out.draft"
    left.mkdir()
    (left / "half.jpg").write_bytes(b"1")
    unpack_safely(make(tmp_path / "a.zip", [("1.jpg", b"1")]), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["1.jpg", "a.zip", "out"]


@pytest.mark.parametrize("damage", ["text", "cut", "flip"])
def test_a_damaged_archive_leaves_nothing(tmp_path, damage):
    archive = make(tmp_path / "a.zip", [("1.jpg", bytes(range(256)) * 50)])
    data = bytearray(archive.read_bytes())
    if damage == "text":
        data = bytearray(b"this is no archive")
    elif damage == "cut":
        data = data[: len(data) // 2]
    else:
        data[60] ^= 0xFF
    archive.write_bytes(data)
    with pytest.raises(DownloadError, match="damaged or no zip"):
        unpack_safely(archive, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(DownloadError, match="exists already"):
        unpack_safely(make(tmp_path / "a.zip", [("1", b"1")]), tmp_path / "out")
