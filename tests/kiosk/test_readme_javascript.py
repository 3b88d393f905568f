"""The JavaScript of the README beside a shipped file gives what Python gives, in Chromium."""

import functools
import http.server
import re
import shutil
import threading

import numpy as np
import pytest

from slimderm.components.export.readme import readme
from slimderm.components.export.run_litert import load
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipping import Shipping

HTML = """<!doctype html>
<script type="importmap">{"imports": {"@litertjs/core": "/litert.js"}}</script>
<script>
window.said = [];
console.log = (found) => said.push(Array.from(found));
onerror = (message) => said.push(String(message));
onunhandledrejection = (event) => said.push(String(event.reason));
</script>
<script type="module" src="readme.js"></script>
"""


@pytest.fixture
def host(built, fresh_network, description, tmp_path):
    """A shipped file, the README's code and LiteRT.js on loopback: address, folder, ledger."""
    shipping = Shipping(Network(fresh_network, "fresh", 255.0, 1.5, description))
    made = shipping.judge("litert-float32", shipping.convert("litert-float32"))
    made.write(tmp_path)
    (code,) = re.findall(r"```javascript\n(.*?)```", readme(made.ledger), re.DOTALL)
    (tmp_path / "readme.js").write_text(code)
    (tmp_path / "index.html").write_text(HTML)
    shutil.copytree(built / "vendor", tmp_path, dirs_exist_ok=True)
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(quiet, directory=tmp_path)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", tmp_path, made.ledger
    server.shutdown()
    server.server_close()


def test_the_readmes_javascript_answers_as_python_does(page, host):
    address, folder, ledger = host
    page.driver.get(address)
    (found,) = page.until(lambda: page.driver.execute_script("return window.said"))
    words = [ledger["encoder"][name] for name in ("sexes", "localizations")]
    person = dict(
        zip(("age", "sex", "localization"), (45, *(len(w) - 1 for w in words)), strict=True)
    )
    row = {name: np.array([[value]], np.float32) for name, value in person.items()}
    black = np.zeros(ledger["inputs"]["image"], np.float32)
    wanted = load(str(folder / ledger["artefact"]), 1)({"image": black} | row)[0]
    assert found == pytest.approx(wanted.tolist(), abs=1e-5)
    assert sum(found) == pytest.approx(1, abs=1e-5)
    page.open()
