"""The page on the kiosk as it stands: a champion becomes a folder, and is served."""

import json
import re
import signal
from pathlib import Path

import httpx
import pytest

from slimderm.flows.base.npm import npm_packages
from slimderm.flows.config import layout
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from tests.flows.serving.example import DESCRIPTION

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def clone(make_workspace, network):
    """A clone with a calibrated champion, in which the page's commands were run."""
    workspace = make_workspace()
    patch = pytest.MonkeyPatch()
    patch.chdir(workspace.folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracker = Tracker(RecordSettings(tracking_uri=f"sqlite:///{workspace.folder}/mlflow.db"))
    registry = Registry(tracker)
    network().save("model.keras")
    with tracker.child(tracker.parent("p", "lenet5", {}), "k", "R1", {}) as run:
        run.model(Path("model.keras"), DESCRIPTION)
    registry.register("k", {})
    version = registry.version("1")
    registry.tag(version, {"gates": "passed", "temperature": "1.5"})
    registry.promotions.promote(version, "a test")
    patch.undo()
    kept = npm_packages(ROOT / layout.KIOSK, ROOT / layout.KIOSK_PACKAGES).parent
    (workspace.folder / layout.KIOSK_PACKAGES).mkdir(parents=True)
    (workspace.folder / layout.KIOSK_PACKAGES / kept.name).symlink_to(kept)
    workspace.said = workspace.follow("kiosk.md")
    return workspace


def test_the_pages_commands_write_folders_that_say_what_they_run(clone):
    for said, target, name in zip(
        clone.said, ("litert-int8", "litert-float16"), ("champion", "half"), strict=True
    ):
        assert re.fullmatch(
            rf"slimderm version 1 as {target}: [\d,]+ bytes\nsaved: kiosk-{name}\n", said
        )
        told = json.loads((clone.folder / f"kiosk-{name}/model.json").read_text())
        assert (told["name"], told["target"]) == ("slimderm version 1", target)
        assert (told["calibrated"], told["encoder"]) == (True, DESCRIPTION["encoder"])


@pytest.mark.parametrize("folder", [[], ["kiosk-half"]])
def test_the_champion_or_a_folder_is_served_until_it_is_stopped(clone, free_port, folder):
    port = free_port()
    clone.environment["KIOSK_PORT"] = port
    command = ["slimderm", "kiosk", "serve", *folder]
    server = clone.start("python", "-m", *command)
    try:
        lines = iter(server.stdout.readline, "")
        assert next(line for line in lines if line.startswith("kiosk: ")) == (
            f"kiosk: http://127.0.0.1:{port} until Ctrl+C; not a medical device\n"
        )
        told = httpx.get(f"http://127.0.0.1:{port}/model.json").json()
        assert told["target"] == ("litert-float16" if folder else "litert-int8")
    finally:
        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=60)
    assert (server.returncode, rest) == (0, "")
