import hashlib
import http.server
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slimderm.components.common.errors import DownloadError
from slimderm.components.dataset import download as module
from slimderm.components.dataset.download import download

DATA = bytes(range(256)) * 4000  # about 1 MB


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_arrives_whole_and_is_not_fetched_twice(server, tmp_path):
    source = server.offer("a.bin", DATA)
    seen = []
    assert download(source, tmp_path / "a.bin", progress=seen.append).read_bytes() == DATA
    assert seen[-1] == len(DATA)
    download(source, tmp_path / "a.bin")
    assert server.asked("/a.bin") == [None]
    assert names(tmp_path) == ["a.bin"]


def test_a_broken_connection_is_resumed(server, tmp_path):
    source = server.offer("a.bin", DATA)
    server.breaks = [0.5, 0.5]
    seen = []
    assert download(source, tmp_path / "a.bin", progress=seen.append).read_bytes() == DATA
    half = len(DATA) // 2
    assert server.asked("/a.bin") == [None, f"bytes={half}-", f"bytes={half + half // 2}-"]
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    held=st.integers(0, len(DATA)),
    breaks=st.lists(st.floats(0.1, 0.9), max_size=4),
    ranges=st.booleans(),
    lengths=st.booleans(),
)
def test_whatever_the_server_does_the_file_comes_out_whole(
    server, tmp_path_factory, held, breaks, ranges, lengths
):
    folder = tmp_path_factory.mktemp("download")
    source = server.offer("a.bin", DATA)
    (folder / "a.bin.part").write_bytes(DATA[:held])
    server.breaks, server.ranges, server.lengths = list(breaks), ranges, lengths
    assert download(source, folder / "a.bin").read_bytes() == DATA
    assert names(folder) == ["a.bin"]


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges = False
    source = server.offer("a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


def test_a_server_that_ever_breaks_off_is_given_up(server, tmp_path):
    server.ranges = False
    server.breaks = [0.5, 0.3, 0.5, 0.3, 0.4] * 4
    source = server.offer("a.bin", DATA)
    with pytest.raises(DownloadError, match="attempts in a row"):
        download(source, tmp_path / "a.bin")
    assert len(server.asked("/a.bin")) == 1 + module.ATTEMPTS
    assert names(tmp_path) == ["a.bin.part"]
    server.breaks = []
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


def test_a_part_with_other_bytes_fails_once_and_is_dropped(server, tmp_path):
    source = server.offer("a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(DownloadError, match="expected md5"):
        download(source, tmp_path / "a.bin")
    assert names(tmp_path) == []
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("told", [True, False], ids=["by its size", "by the refused range"])
def test_a_part_longer_than_the_file_is_begun_anew(server, tmp_path, told):
    source = server.offer("a.bin", DATA)
    if not told:
        source = replace(source, facts_url=None)
    (tmp_path / "a.bin.part").write_bytes(b"x" * (len(DATA) + 5))
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA
    refused = [] if told else [f"bytes={len(DATA) + 5}-"]
    assert server.asked("/a.bin") == [*refused, None]


def test_a_whole_part_is_taken_without_asking_for_more(server, tmp_path):
    source = server.offer("a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(DATA)
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked("/a.bin") == []
    unsaid = replace(source, facts_url=None)
    (tmp_path / "b.bin.part").write_bytes(DATA)
    assert download(unsaid, tmp_path / "b.bin").read_bytes() == DATA
    assert server.asked("/a.bin") == [f"bytes={len(DATA)}-"]


@pytest.mark.parametrize("facts", [{"md5": "0" * 32}, {"filesize": len(DATA) + 7}])
def test_a_file_unlike_its_facts_leaves_nothing(server, tmp_path, facts):
    source = server.offer("a.bin", DATA, **facts)
    said = rf"received md5:\w+, {len(DATA)} .* expected .*{facts.get('md5', len(DATA) + 7)}"
    with pytest.raises(DownloadError, match=said):
        download(source, tmp_path / "a.bin")
    assert names(tmp_path) == []


def test_a_file_that_changed_is_fetched_anew(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    source = server.offer("a.bin", DATA)
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_checksum_known_beforehand_is_kept_to(server, tmp_path, algorithm):
    digits = hashlib.new(algorithm, DATA).hexdigest()
    source = replace(server.offer("a.bin", DATA), facts_url=None, checksum=f"{algorithm}:{digits}")
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA
    server.files["/a.bin"] = DATA[:-1] + b"!"
    with pytest.raises(DownloadError, match=f"expected {algorithm}:{digits}"):
        download(source, tmp_path / "b.bin")


def test_a_server_that_stays_silent_is_given_up(server, tmp_path):
    source = server.offer("a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(DATA[:10])
    server.breaks = [0] * module.ATTEMPTS
    with pytest.raises(DownloadError, match="run the command again"):
        download(source, tmp_path / "a.bin")
    assert (tmp_path / "a.bin.part").read_bytes() == DATA[:10]
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


def test_a_server_that_is_gone_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 0.001)
    free = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    free.server_close()
    source = module.DownloadSource("a", f"http://127.0.0.1:{free.server_port}/a")
    with pytest.raises(DownloadError, match="attempts in a row"):
        download(source, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_busy_server_is_asked_again(server, tmp_path):
    source = server.offer("a.bin", DATA)
    server.codes = [503, 429, 500]
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("code", [403, 404])
def test_a_refusal_is_an_error_at_once(server, tmp_path, code):
    source = server.offer("a.bin", DATA)
    server.codes = [code]
    with pytest.raises(DownloadError, match=f"HTTP {code}"):
        download(source, tmp_path / "a.bin")
    assert len(server.asked("/a.bin")) == 1
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


def test_a_redirection_is_followed_with_the_range(server, tmp_path):
    source = server.offer("a.bin", DATA)
    server.files["/store"] = server.files.pop("/a.bin")
    server.moved = {"/a.bin": f"{server.base}/store"}
    server.breaks = [0.5]
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA
    assert server.asked("/store") == [None, f"bytes={len(DATA) // 2}-"]
