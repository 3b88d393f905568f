"""A hand-made dataset of tiny images in the official layout, and a server to download from."""

import hashlib
import http.server
import json
import re
import threading

import cv2
import numpy as np
import pandas as pd
import pytest

from slimderm.components.dataset import download
from slimderm.components.dataset.download_source import DownloadSource

COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")


class Made:
    def __init__(self, folder):
        self.folder = folder
        self.images = folder / "HAM10000_images_part_1"
        self.images.mkdir(parents=True)
        self.rows = []

    def image(self, name, *, suffix=".jpg", shape=(12, 16, 3), seed=None):
        """Write an image whose content follows from its name."""
        random = np.random.default_rng(abs(hash_of(name)) if seed is None else seed)
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        path = self.images / f"{name}{suffix}"
        cv2.imwrite(str(path), pixels)
        return path

    def row(self, name, lesion=None, dx="nv", age="50", sex="male", site="back"):
        self.rows.append((lesion or f"L{name}", name, dx, "histo", age, sex, site))

    def add(self, name, **row):
        self.row(name, **row)
        return self.image(name)

    def write(self, *, sep=",", name="HAM10000_metadata.csv", drop=None):
        table = pd.DataFrame(self.rows, columns=COLUMNS)
        table = table.drop(columns=drop or [])
        table.to_csv(self.folder / name, index=False, sep=sep)
        return self.folder


def hash_of(name):
    return sum((index + 1) * ord(letter) for index, letter in enumerate(name))


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "source")


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; does what is wrong with servers where `server` says so."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        if "Python" in self.headers["User-Agent"]:
            return self.send_error(403)
        if self.path in self.server.moved:
            self.send_response(303)
            self.send_header("Location", self.server.moved[self.path])
            return self.end_headers()
        if self.server.codes and not self.path.startswith("/facts"):
            return self.send_error(self.server.codes.pop(0))
        data = self.server.files.get(self.path)
        if data is None:
            return self.send_error(404)
        matched = re.fullmatch(r"bytes=(\d+)-", asked or "") if self.server.ranges else None
        return self.give(data, int(matched[1]) if matched else None)

    def give(self, data, start):
        if start is not None and start >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        rest = data[start or 0 :]
        if self.server.lengths:
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.breaks and not self.path.startswith("/facts"):
            rest = rest[: int(len(rest) * self.server.breaks.pop(0))]
        self.wfile.write(rest)  # HTTP/1.0: the connection ends here, wherever that is
        return None


class Server(http.server.ThreadingHTTPServer):
    """On a free port of this machine.

    ``breaks`` are shares of a file after which to break off, ``codes`` answers to give first,
    ``moved`` redirections; ``ranges`` and ``lengths`` say whether it knows Range and states how
    long an answer is.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.requests, self.breaks, self.codes, self.moved = {}, [], [], [], {}
        self.ranges = self.lengths = True
        self.base = f"http://127.0.0.1:{self.server_port}"

    def offer(self, name, data, *, target=None, **facts):
        """Serve a file and the facts on it, as Dataverse does."""
        md5 = hashlib.md5(data).hexdigest()
        stated = {"md5": md5, "filesize": len(data)} | facts
        self.files[f"/{name}"] = data
        self.files[f"/facts/{name}"] = json.dumps({"data": {"dataFile": stated}}).encode()
        return DownloadSource(target or name, f"{self.base}/{name}", f"{self.base}/facts/{name}")

    def asked(self, path):
        """The ranges that `path` was asked for."""
        return [wanted for where, wanted in self.requests if where == path]


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.001)
    httpd = Server()
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()
