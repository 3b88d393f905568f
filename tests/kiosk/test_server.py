"""What `slimderm kiosk serve` answers, and what a built folder holds."""

import json
import re

import httpx
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.flows.serving.kiosk_server import kiosk_server

TYPES = {
    "": "text/html; charset=utf-8",
    "src/page.js": "text/javascript",
    "vendor/wasm/litert_wasm_internal.wasm": "application/wasm",
    "model.json": "application/json",
    "model.tflite": "application/octet-stream",
    "manifest.webmanifest": "application/manifest+json",
}


@pytest.fixture(scope="module")
def ask(server):
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}/") as client:
        yield client


@pytest.mark.parametrize("path", TYPES)
def test_a_file_has_the_type_that_browsers_want_and_the_policy(ask, path):
    answer = ask.head(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == TYPES[path]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self';" in policy
    assert "unsafe-inline" not in policy
    assert re.findall(r"unsafe-\w+|wasm-unsafe-eval", policy) == ["wasm-unsafe-eval"]
    assert not re.search(r"https?:|\*", policy)


def test_nothing_but_files_is_answered(ask):
    assert ask.get("src/").status_code == 404
    assert ask.get("../lock").status_code == 404
    assert ask.get("%2e%2e/lock").status_code == 404
    assert ask.post("").status_code == 501
    assert ask.put("model.json").status_code == 501


def test_the_folder_is_whole_and_names_no_other_host(built):
    text = (built / "build.js").read_text()
    build = json.loads(text.removeprefix("self.BUILD = ").rstrip(";\n"))
    there = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert set(build["files"]) | {"build.js", "sw.js"} == there
    for name in there - {name for name in there if name.startswith("vendor/")}:
        if not name.endswith(".tflite"):
            words = re.findall(r"https?://[^\s\"'/]+", (built / name).read_text())
            assert set(words) <= {"http://www.w3.org"}, name  # SVG's own name


def test_the_model_is_described_for_the_page(built, description):
    told = json.loads((built / "model.json").read_text())
    person = {key: [1, 1] for key in ("age", "sex", "localization")}
    assert told["inputs"] == {"image": [1, 48, 64, 3], **person}
    assert (told["classes"], told["encoder"]) == (description["classes"], description["encoder"])
    assert (told["white"], told["calibrated"], told["name"]) == (255, True, "slimderm version 7")
    assert told["bytes"] == (built / "model.tflite").stat().st_size
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", told["date"])


def test_a_folder_that_is_no_kiosk_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"received '.*', expected one that `slimderm kiosk"):
        kiosk_server(tmp_path, port=0)
    (tmp_path / "index.html").write_text("<p>A page.")
    with pytest.raises(ParameterError, match="expected one that `slimderm kiosk build` wrote"):
        kiosk_server(tmp_path, port=0)


@pytest.mark.parametrize("port", ["taken", "x", 70000])
def test_a_port_that_cannot_be_had_is_refused(server, built, port):
    wanted = server.port if port == "taken" else port
    with pytest.raises(ParameterError, match=rf"KIOSK_PORT: received 127\.0\.0\.1:{wanted}, exp"):
        kiosk_server(built, port=wanted)
