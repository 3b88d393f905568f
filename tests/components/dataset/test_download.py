import hashlib
import http.server
import io
import json
import re
import threading
import zipfile

import pytest

from components.dataset import download as module
from components.dataset.download import Source, download, fetch_dataset
from components.errors import DownloadError

DATA = bytes(range(256)) * 4000  # about 1 MB


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; knows Range unless told not to; breaks off where told."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        if "Python-urllib" in self.headers["User-Agent"]:
            self.send_error(403)
            return
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = 0
        matched = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if matched and self.server.ranges:
            start = int(matched[1])
            if start >= len(data):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = len(data)
        if self.server.breaks and not self.path.startswith("/facts"):
            end = start + (len(data) - start) // self.server.breaks.pop(0)
        self.wfile.write(data[start:end])
        if end < len(data):
            self.close_connection = True


@pytest.fixture
def server():
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.files, httpd.requests, httpd.breaks, httpd.ranges = {}, [], [], True
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def offer(server, name, data, *, md5=None, size=None):
    base = f"http://127.0.0.1:{server.server_port}"
    facts = {"md5": md5 or hashlib.md5(data).hexdigest(), "filesize": size or len(data)}
    server.files[f"/{name}"] = data
    server.files[f"/facts/{name}"] = json.dumps({"data": {"dataFile": facts}}).encode()
    return Source(name, f"{base}/{name}", f"{base}/facts/{name}")


def test_a_file_arrives_whole_and_is_not_fetched_twice(server, tmp_path):
    source = offer(server, "a.bin", DATA)
    seen = []
    assert download(source, tmp_path / "a.bin", progress=seen.append).read_bytes() == DATA
    assert seen[-1] == len(DATA)
    download(source, tmp_path / "a.bin")
    assert [path for path, _ in server.requests].count("/a.bin") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_a_broken_connection_is_resumed(server, tmp_path):
    source = offer(server, "a.bin", DATA)
    server.breaks = [2, 3]
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA
    ranges = [asked for path, asked in server.requests if path == "/a.bin"]
    assert ranges == [None, f"bytes={len(DATA) // 2}-", ranges[2]]
    assert int(ranges[2][6:-1]) > len(DATA) // 2


def test_an_interrupted_download_goes_on_from_its_part(server, tmp_path):
    source = offer(server, "a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(DATA[:1000])
    download(source, tmp_path / "a.bin")
    assert ("/a.bin", "bytes=1000-") in server.requests
    assert (tmp_path / "a.bin").read_bytes() == DATA


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges = False
    source = offer(server, "a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


@pytest.mark.parametrize("part", [b"x" * 1000, b"x" * (len(DATA) + 5)])
def test_a_part_that_is_not_the_file_fails_once_and_is_dropped(server, tmp_path, part):
    source = offer(server, "a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(part)
    with pytest.raises(DownloadError, match="expected md5"):
        download(source, tmp_path / "a.bin")
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    source = offer(server, "a.bin", DATA, md5="0" * 32)
    with pytest.raises(DownloadError, match=r"received md5 \w+, .* expected md5 0000"):
        download(source, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changed_is_fetched_anew(server, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    source = offer(server, "a.bin", DATA)
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


def test_a_server_that_stays_silent_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ATTEMPTS", 2)
    source = offer(server, "a.bin", DATA)
    (tmp_path / "a.bin.part").write_bytes(DATA[:10])
    server.breaks = [10**9] * 5
    with pytest.raises(DownloadError, match="run the command again"):
        download(source, tmp_path / "a.bin")
    server.breaks = []
    assert download(source, tmp_path / "a.bin").read_bytes() == DATA


def test_a_missing_file_is_an_error_at_once(server, tmp_path):
    source = offer(server, "a.bin", DATA)
    del server.files["/a.bin"]
    with pytest.raises(DownloadError, match="HTTP 404"):
        download(source, tmp_path / "a.bin")
    del server.files["/facts/a.bin"]
    with pytest.raises(DownloadError, match="received no checksum"):
        download(source, tmp_path / "a.bin")


def zipped(**files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_dataset_is_laid_out_once(server, tmp_path):
    archive = offer(server, "part.zip", zipped(**{"ISIC_1.jpg": b"1"}))
    table = offer(server, "HAM10000_metadata.tab", b"a\tb")
    sources = [Source("HAM10000_images_part_1/", archive.url, archive.facts_url), table]
    for _ in range(2):
        fetch_dataset(tmp_path / "ham", sources)
    found = sorted(p.relative_to(tmp_path / "ham").as_posix() for p in tmp_path.rglob("*.*"))
    assert found == ["HAM10000_images_part_1/ISIC_1.jpg", "HAM10000_metadata.tab"]
    assert [path for path, _ in server.requests].count("/part.zip") == 1


def test_the_official_list_names_what_ingest_reads():
    assert {source.target for source in module.OFFICIAL} == {
        "HAM10000_images_part_1/",
        "HAM10000_images_part_2/",
        "HAM10000_metadata.tab",
    }
    assert all(source.facts_url and source.url.startswith("https://") for source in module.OFFICIAL)
