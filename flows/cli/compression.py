"""Network compression: models as `.slim` files and back."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.table import Table

from slimderm.components.common.errors import ParameterError
from slimderm.flows.base.terminal import console
from slimderm.flows.cli.command import Answer, Json, say
from slimderm.flows.cli.pruning import load_model, quiet_keras
from slimderm.flows.config import layout

if TYPE_CHECKING:
    from slimderm.components.network_compression.slim_contents import Contents

SLIM, KERAS = ".slim", ".keras"
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="Refuse files of more parameters; the default is 250 million."),
]


def pack(
    model: Annotated[Path, typer.Argument(help="A saved Keras model, functional or sequential.")],
    output: Annotated[Path, typer.Argument(help="Where the small file goes, a .slim file.")],
    *,
    as_json: Json = False,
) -> Answer:
    """Write a Keras model file as a .slim file, bit for bit, each weight by its smallest coding.

    Reads the model file. Writes the .slim file and prints what each weight takes. Shared weights,
    zeros and packed bits are found by themselves. Takes seconds; needs no network and no clone.
    """
    _check_name("output", output, SLIM)
    keras = quiet_keras()
    from slimderm.components.network_compression.slim_file import inspect as list_contents
    from slimderm.components.network_compression.slim_file import pack as encode
    from slimderm.components.network_compression.slim_file import write

    data = encode(load_model(keras, model))
    write(data, output)
    contents = list_contents(data, max_parameters=sys.maxsize)
    _show(contents)
    say(f"saved: {output}")
    return Answer({"output": str(output), **_as_json(contents)})


def unpack(
    file: Annotated[Path, typer.Argument(help="A .slim file; it need not be trusted.")],
    output: Annotated[Path, typer.Argument(help="Where the Keras model goes, a .keras file.")],
    *,
    max_parameters: Limit = None,
    as_json: Json = False,
) -> Answer:
    """Write a .slim file as a Keras model file.

    Reads the .slim file. Writes a model with the very same weights, not compiled. Takes seconds;
    needs no network and no clone.
    """
    _check_name("output", output, KERAS)
    data = _bytes(file)
    quiet_keras()
    from slimderm.components.network_compression.slim_file import MAX_PARAMETERS
    from slimderm.components.network_compression.slim_file import unpack as decode

    model = decode(data, max_parameters=max_parameters or MAX_PARAMETERS)
    model.save(output)
    say(f"saved: {output}")
    return Answer({"output": str(output), "parameters": model.count_params()})


def inspect(
    file: Annotated[Path, typer.Argument(help="A .slim file; it need not be trusted.")],
    *,
    max_parameters: Limit = None,
    as_json: Json = False,
) -> Answer:
    """Show what a .slim file holds: each weight, its coding and its bytes.

    Reads the .slim file. Writes nothing. Takes seconds; needs no network and no clone.
    """
    data = _bytes(file)
    quiet_keras()
    from slimderm.components.network_compression.slim_file import MAX_PARAMETERS
    from slimderm.components.network_compression.slim_file import inspect as list_contents

    contents = list_contents(data, max_parameters=max_parameters or MAX_PARAMETERS)
    _show(contents)
    return Answer(_as_json(contents))


def _check_name(what: str, path: Path, ending: str) -> None:
    if path.suffix != ending:
        raise ParameterError(f"{what}: received {str(path)!r}, expected a name ending in {ending}")


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ParameterError(f"file: received {str(path)!r}, expected a file that exists")
    return path.read_bytes()


def _show(contents: "Contents") -> None:
    table = Table(box=SIMPLE)
    table.add_column("weight", overflow="fold")
    for title in ("shape", "dtype", "coding"):
        table.add_column(title)
    for title in ("bytes", "bits a value"):
        table.add_column(title, justify="right")
    for weight in contents.weights:
        bits = f"{8 * weight.num_bytes / weight.num_values:.2f}" if weight.num_values else ""
        shape = "×".join(map(str, weight.shape)) or "1"
        table.add_row(
            weight.path, shape, weight.dtype, weight.coding, f"{weight.num_bytes:,}", bits
        )
    console.print(table)
    say(
        f"{contents.name}: {contents.num_parameters:,} parameters in {contents.total_bytes:,} "
        f"bytes, {contents.architecture_bytes:,} of them the architecture, "
        f"{contents.frame_bytes:,} the frame; {contents.raw_bytes / contents.total_bytes:.1f} "
        f"times smaller than the {contents.raw_bytes:,} bytes of the weights as they are"
    )


def _as_json(contents: "Contents") -> dict[str, object]:
    return {
        **asdict(contents),
        "parameters": contents.num_parameters,
        "frame_bytes": contents.frame_bytes,
        "raw_bytes": contents.raw_bytes,
    }


def search(
    network: Annotated[str, typer.Argument(help="One of the networks of params.yaml.")],
    *,
    recipes: Annotated[int, typer.Option(min=2, help="Recipes that are tried at first.")] = 16,
    rungs: Annotated[
        int, typer.Option(min=1, help="Rounds: each keeps half and trains for twice as long.")
    ] = 3,
    epochs: Annotated[int, typer.Option(min=1, help="Of each training in the last round.")] = 8,
    start: Annotated[
        str,
        typer.Option(
            help="What recipes start from: unpruned, or smallest, as in the section slim.",
            autocompletion=lambda: ["unpruned", "smallest"],
        ),
    ] = "unpruned",
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of recipes.")] = 0,
    agents: Annotated[
        bool, typer.Option("--agents", help="Train on the workers of pool gpu, as the pipeline.")
    ] = False,
    as_json: Json = False,
) -> Answer:
    """Search for recipes that make a trained network small, fast and still accurate.

    Reads what `make run` made. Tries recipes of the section slim side by side, drops dominated ones
    early, and writes reports/search/NETWORK: a table, a picture of the Pareto front, and
    recipes.yaml for `make run RECIPE=...`, which judges and registers them. Takes hours on real
    data; killed and run again, it goes on.
    """
    from slimderm.flows.config.params import read_params
    from slimderm.flows.work.searching import Search, search_recipes, write_search

    found = Search(network, recipes, rungs, epochs, start, seed)
    params = read_params()
    if agents:
        from slimderm.flows.agents.recipes import train_on_agents

        table = search_recipes(params, found, train_on_agents)
    else:
        table = search_recipes(params, found)
    folder = layout.SEARCH / network
    write_search(folder, table, found)
    front = table[table["front"]]
    shown = Table(box=SIMPLE, title=f"The front: {len(front)} of {len(table)} recipes")
    titles = ("recipe", "parameters", "bytes", "ms", "balanced accuracy")
    for title in titles:
        shown.add_column(title, justify="left" if title == "recipe" else "right")
    for line in front.itertuples():
        accuracy = f"{line.validation_balanced_accuracy:.3f} ({line.low:.3f} to {line.high:.3f})"
        size = f"{line.parameters:,}", f"{line.slim_bytes:,}", f"{line.latency_p50_ms:.1f}"
        shown.add_row(line.notation, *size, accuracy)
    console.print(shown)
    say(f"search: table, picture and recipes.yaml in {folder}")
    return Answer(json.loads(front.to_json(orient="records")))
