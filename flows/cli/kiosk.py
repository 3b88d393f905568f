"""The kiosk: build its folder, or serve it on this machine."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from slimderm.components.common.errors import ParameterError
from slimderm.flows.cli.command import Answer, Json, say
from slimderm.flows.cli.export import network_of, targets

CHAMPION = "champion"


def kiosk(
    action: Annotated[str, typer.Argument(help="build or serve.")] = "serve",
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE] [OUT]",
            help="A saved Keras model instead of a version; for build the folder that is made; for "
            "serve it may be a folder that build has made.",
        ),
    ] = None,
    *,
    model: Annotated[
        str,
        typer.Option(
            help="A registered version: champion, challenger or a number; champion unless FILE "
            "is given."
        ),
    ] = "",
    target: Annotated[
        str, typer.Option(help="As of slimderm export, for LiteRT.", autocompletion=targets)
    ] = "",
    white: Annotated[
        float | None,
        typer.Option(help="What a white pixel is in the images that FILE takes: 255 or 1."),
    ] = None,
    as_json: Json = False,
) -> Answer:
    """Build or serve a page that runs the network in the browser.

    Reads a Keras model file, or a registered version with its temperature, exports it as slimderm
    export does and writes it with the page into a folder that any static host serves. serve builds
    it for a while and serves it on loopback, port 5002; SERVERS_HOST and KIOSK_PORT name others.
    Pictures never leave the browser. Takes half a minute, and npm's registry the first time. Not a
    medical device: docs/intended-use.md.
    """
    given = paths or []
    if action == "build":
        if not given:
            raise ParameterError("OUT: received no name, expected that of a folder to be made")
        *files, out = given
        return Answer({"output": str(out), **_build(files, model, target, white, out)})
    if action != "serve":
        raise ParameterError(f"action: received {action!r}, expected build or serve")
    if len(given) == 1 and given[0].is_dir():
        _serve(given[0])
    else:
        with TemporaryDirectory() as place:
            _build(given, model, target, white, Path(place, "kiosk"))
            _serve(Path(place, "kiosk"))
    return Answer({})


def _build(
    files: list[Path], model: str, target: str, white: float | None, out: Path
) -> dict[str, Any]:
    from slimderm.flows.serving.export import check_folder, shipped_file
    from slimderm.flows.serving.kiosk import build_kiosk

    check_folder(out)
    model = model or ("" if files else CHAMPION)
    network = network_of(files, model, white)
    kept = shipped_file(model) if model and not target else None
    told = build_kiosk(network, target, out, kept)
    say(f"{told['name']} as {told['target']}: {told['bytes']:,} bytes")
    say(f"saved: {out}")
    return told


def _serve(folder: Path) -> None:
    import contextlib

    from slimderm.flows.serving.kiosk_server import kiosk_server

    with kiosk_server(folder) as server, contextlib.suppress(KeyboardInterrupt):
        host, port = server.server_address[:2]
        say(f"kiosk: http://{host!s}:{port} until Ctrl+C; not a medical device")
        server.serve_forever()
