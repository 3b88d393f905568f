"""Export: a network as a file for phones, small computers and browsers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from slimderm.components.common.errors import ParameterError
from slimderm.flows.cli.command import Answer, Json, require_clone, say
from slimderm.flows.cli.pruning import load_model


def targets() -> list[str]:
    """Name the targets, for completion."""
    from slimderm.components.export.table import TARGETS
    from slimderm.flows.serving.export import BEST

    return [BEST, *TARGETS]


def export(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="[FILE] OUT",
            help="A saved Keras model, unless --model names one; and the folder that is made.",
        ),
    ],
    *,
    target: Annotated[
        str,
        typer.Option(
            help="A kind of file; best: the smallest that is as good. Default: for a version the "
            "file that its review kept, else best; for FILE litert-int8. docs/export.md lists all.",
            autocompletion=targets,
        ),
    ] = "",
    model: Annotated[
        str,
        typer.Option(
            help="Instead of FILE a registered version: champion, challenger or a number."
        ),
    ] = "",
    white: Annotated[
        float | None,
        typer.Option(help="What a white pixel is in the images that FILE takes: 255 or 1."),
    ] = None,
    encoded: Annotated[
        bool,
        typer.Option(
            "--encoded",
            help="The file takes metadata, encoded as the network does, instead of age, sex, site.",
        ),
    ] = False,
    as_json: Json = False,
) -> Answer:
    """Write a network as a small file that LiteRT or ONNX Runtime runs, and judge that file.

    Reads a Keras model file, or in a clone a registered version with its temperature, whose file
    takes age in years, and sex and site as places in lists that README.md names. Writes a
    folder: model.tflite or model.onnx, README.md, and ledger.json with bytes, milliseconds, how far
    the file's probabilities are from Keras's and, for a version, whether it is as accurate. A file
    that its runtime does not run is not written. Takes twenty seconds; best takes a minute or two.
    Not a medical device: docs/intended-use.md.
    """
    from slimderm.flows.serving.export import check_folder, export_network, shipped_file
    from slimderm.flows.work.shipment import LEDGER

    *files, out = paths
    _check(files, model, white)
    if model:
        require_clone()
    check_folder(out)
    kept = shipped_file(model) if model and not target and not encoded else None
    if kept:
        kept.write(out)
        ledger = kept.ledger
    else:
        network = network_of(files, model, white)
        ledger = export_network(network, target, out, encoded=encoded)
    _show(ledger, out)
    return Answer({"output": str(out), "ledger": str(out / LEDGER), **ledger})


def network_of(files: list[Path], model: str, white: float | None) -> Any:
    """Load what a command names: a model file or a registered version.

    Returns
    -------
    Network
        Of `slimderm.flows.work.edge_network`.

    Raises
    ------
    ParameterError
        If both or none is named, or white is given with a version or is not above 0.
    """
    _check(files, model, white)
    if model:
        require_clone()
    from slimderm.flows.serving.export import registered

    return registered(model) if model else _saved(files[0], 255.0 if white is None else white)


def _check(files: list[Path], model: str, white: float | None) -> None:
    if len(files) != (0 if model else 1):
        expected = "OUT alone beside --model" if model else "FILE OUT, or OUT and --model"
        received = " ".join(map(str, files)) or "no FILE"
        raise ParameterError(f"FILE: received {received}, expected {expected}")
    if white is not None and model:
        raise ParameterError(f"white: received {white:g} and --model, expected one of the two")
    if white is not None and not white > 0:
        raise ParameterError(f"white: received {white:g}, expected a number above 0")


def _saved(file: Path, white: float) -> Any:
    from slimderm.flows.base.keras_loader import load_keras
    from slimderm.flows.work.edge_network import Network

    return Network(load_model(load_keras(), file), file.name, white)


def _show(ledger: dict[str, Any], out: Path) -> None:
    from slimderm.flows.work.shipment import sentence

    found, one, two = ledger["compared"], ledger["latency"]["1"], ledger["latency"]["2"]
    say(f"{ledger['model']['name']} as {ledger['target']}: {ledger['bytes']:,} bytes")
    say(
        f"one image: {one['p50_ms']:.2f} ms on one thread (p99 {one['p99_ms']:.2f}), "
        f"{two['p50_ms']:.2f} ms on two (p99 {two['p99_ms']:.2f})"
    )
    say(
        f"the same class as Keras for {found['agreement']:.1%} of {found['num_images']} "
        f"{found['images']}; probabilities differ by {found['mean']:.2g} in the mean, "
        f"{found['worst']:.2g} at most"
    )
    if ledger["accuracy"]:
        say(sentence(ledger))
    for name, why in ledger.get("tried", {}).items():
        say(f"not {name}: {why}")
    if ledger["warning"]:
        say(f"warning: {ledger['warning']}")
    say(f"saved: {out}")
