"""The kiosk: a page that runs a network in the browser, as a folder that any host can serve."""

import json
import re
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slimderm.components.common.cache import content_key, replacing
from slimderm.components.common.errors import ParameterError
from slimderm.flows.base.files import file_hash, write_json, write_text
from slimderm.flows.base.npm import npm_packages
from slimderm.flows.config import layout
from slimderm.flows.serving.export import BEST, check_folder, export_network
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipment import Shipment

PAGE, MODEL, BUILD, WORKER = "index.html", "model.json", "build.js", "sw.js"
SOURCES = (PAGE, "kiosk.css", "icon.svg", "manifest.webmanifest", WORKER, "src")
RUNTIME = "@litertjs/core"
HELPER = "@litertjs/wasm-utils"
# Without relaxed SIMD a browser takes the second; neither needs threads.
WASM = ("litert_wasm_internal", "litert_wasm_compat_internal")
TOLD = ("target", "bytes", "sha256", "inputs", "white", "encoder", "preparation", "licence")
POLICY = re.compile(r'http-equiv="Content-Security-Policy"\s+content="([^"]+)"')


def build_kiosk(
    network: Network, target: str, out: Path, kept: Shipment | None = None
) -> dict[str, Any]:
    """Export a network and write it into a folder with the page that runs it.

    Parameters
    ----------
    network : Network
        Its image has three channels; where it takes a person's data, it is a version, which knows
        how they are encoded.
    target : str
        A key of `slimderm.components.export.table.TARGETS` that LiteRT runs, ``best`` of these, or
        empty, as for `slimderm.flows.serving.export.export_network`.
    out : path
        A folder that is made, whole or not at all.
    kept : Shipment, optional
        The file that a review has made of the network; taken where a browser runs it and no target
        is named.

    Returns
    -------
    dict
        What ``model.json`` holds.

    Raises
    ------
    ParameterError
        For another network or target, or if the folder holds files.
    ExportError
        As `slimderm.flows.serving.export.export_network`.
    DownloadError
        As `slimderm.flows.base.npm.npm_packages`.
    """
    check_folder(out)
    _check(network)
    known = _check_target(target)
    packages = npm_packages(layout.KIOSK, layout.KIOSK_PACKAGES)
    with TemporaryDirectory() as place, replacing(out) as draft:
        exported = Path(place) / "export"
        if kept and not target and kept.ledger["target"] in known:
            kept.write(exported)
            ledger = kept.ledger
        else:
            ledger = export_network(network, target, exported, among=known)
        told = described(ledger, network)
        shutil.copy(exported / ledger["artefact"], draft)
        write_json(draft / MODEL, told)
        for name in SOURCES:
            copy = shutil.copytree if (layout.KIOSK / name).is_dir() else shutil.copy
            copy(layout.KIOSK / name, draft / name)
        _vendor(packages, draft / "vendor")
        _name_files(draft)
    return told


def _check(network: Network) -> None:
    from slimderm.components.export.shipped import IMAGE, check_classifier
    from slimderm.components.model_graph.calls import ends

    check_classifier(network.model)
    inputs = {tensor.name: tensor.shape for tensor in ends(network.model)[0]}
    if inputs[IMAGE][-1] != 3:
        raise ParameterError(
            f"{network.name}: received an image of shape {inputs[IMAGE][1:]}, expected (height, "
            "width, 3); the kiosk reads colours"
        )
    if len(inputs) > 1 and not network.description:
        raise ParameterError(
            f"{network.name}: received a model file that takes metadata, expected one that takes "
            "an image alone, or a registered version, which says how a person is encoded"
        )


def _check_target(target: str) -> list[str]:
    """Refuse a target that browsers do not run; return those that they do."""
    from slimderm.components.export.litert import LITERT
    from slimderm.components.export.table import TARGETS

    known = [name for name, each in TARGETS.items() if each.runtime == LITERT]
    if target not in ("", BEST, *known):
        raise ParameterError(
            f"target: received {target!r}, expected one that a browser runs: {', '.join(known)}, "
            f"or {BEST}"
        )
    return known


def described(ledger: Mapping[str, Any], network: Network) -> dict[str, Any]:
    """Say what the page must know of a model.

    Parameters
    ----------
    ledger : mapping
        As `slimderm.flows.serving.export.export_network` gives it.
    network : Network
    """
    numbered = [str(place) for place in range(1, ledger["num_classes"] + 1)]
    return {name: ledger[name] for name in TOLD} | {
        "name": network.name,
        "classes": ledger["classes"] or numbered,
        "calibrated": network.temperature is not None,
        "date": datetime.now(UTC).date().isoformat(),
    }


def _vendor(packages: Path, folder: Path) -> None:
    """Copy LiteRT.js with what it loads.

    Its import of a package's name becomes one of a file: workers know no import maps.
    """
    (folder / "wasm").mkdir(parents=True)
    code = (packages / RUNTIME / "dist/index.js").read_text(encoding="utf-8")
    named, path = f'from"{HELPER}"', 'from"./wasm-utils.js"'
    code = re.sub(r"\bfrom\s*(['\"])" + re.escape(HELPER) + r"\1", path, code)
    if code.count(path) != 1:
        raise ParameterError(f"{RUNTIME}: received a file without {named}, expected it once")
    write_text(folder / "litert.js", code)
    shutil.copy(packages / HELPER / "dist/index.js", folder / "wasm-utils.js")
    for name in WASM:
        for suffix in (".js", ".wasm"):
            shutil.copy(packages / RUNTIME / "wasm" / f"{name}{suffix}", folder / "wasm")
    shutil.copy(layout.LICENCE, folder)  # of the packages, too: Apache-2.0


def _name_files(folder: Path) -> None:
    """Tell the service worker which files there are, and of what version they are together."""
    paths = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    files = [path.as_posix() for path in paths if path.name != WORKER]
    hashes = {name: file_hash(folder / name) for name in files}
    policy = policy_of(folder)
    build = {"version": content_key(policy=policy, **hashes)[:12], "files": files, "policy": policy}
    write_text(folder / BUILD, f"self.BUILD = {json.dumps(build, indent=2)};\n")


def policy_of(folder: Path) -> str:
    """Read the Content-Security-Policy that a kiosk's page states.

    Raises
    ------
    ParameterError
        If the folder holds no kiosk.
    """
    page = folder / PAGE
    found = POLICY.search(page.read_text(encoding="utf-8")) if page.exists() else None
    if found is None or not (folder / "src").is_dir():
        raise ParameterError(
            f"FOLDER: received {str(folder)!r}, expected one that `slimderm kiosk build` wrote"
        )
    return found[1]
