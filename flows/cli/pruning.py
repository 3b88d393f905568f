"""Pruning of any Keras model file, outside the pipeline."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.names import KINDS, SCOPES
from slimderm.flows.base.terminal import quiet_stderr
from slimderm.flows.cli.command import Answer, Json, say


def _criteria() -> list[str]:
    from slimderm.components.pruning.criteria.table import CRITERIA

    return [name for name, entry in CRITERIA.items() if not entry.needs_data]


Criterion = Annotated[
    str,
    typer.Option(
        help="What makes a channel important; one that needs no data.", autocompletion=_criteria
    ),
]


def _budgets() -> list[str]:
    return [f"{kind}=" for kind in KINDS]


def prune(
    model: Annotated[Path, typer.Argument(help="A saved Keras model, functional or sequential.")],
    output: Annotated[Path, typer.Argument(help="Where the smaller model goes, a .keras file.")],
    *,
    ratio: Annotated[
        float | None, typer.Option(help="Ratio of the channels to remove, above 0 and below 1.")
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help=f"Instead of a ratio: what the smaller model may cost, such as {KINDS[0]}=100000; "
            f"also {', '.join(KINDS[1:])}.",
            autocompletion=_budgets,
        ),
    ] = None,
    criterion: Criterion = "l1",
    scope: Annotated[
        str,
        typer.Option(
            help="Compare channels within each group of layers (local), all (global), or those of "
            "groups that are alike (isomorphic).",
            autocompletion=lambda: list(SCOPES),
        ),
    ] = "local",
    keep: Annotated[
        list[str] | None,
        typer.Option(help="A layer that stays whole; * and ? match any characters. Repeatable."),
    ] = None,
    multiple: Annotated[int, typer.Option(help="Round widths to a multiple of this.", min=1)] = 1,
    max_ratio: Annotated[
        float | None,
        typer.Option(help="Largest ratio of its channels that a layer may lose."),
    ] = None,
    seed: Annotated[int, typer.Option(help="For the criterion random.")] = 0,
    moving_statistics: Annotated[
        bool,
        typer.Option(
            help="Channels may leave layers that normalise over channels; outputs then move.",
        ),
    ] = False,
    as_json: Json = False,
) -> Answer:
    """Remove channels from a Keras model file.

    Reads the model file. Writes a smaller one and prints what shrank, what stayed and why. Trains
    nothing: fine-tune the smaller model afterwards. Takes seconds; needs no network and
    no clone.
    """
    keras = quiet_keras()
    from slimderm.components.pruning.method import Budget, Limits
    from slimderm.components.pruning.pruner import prune as remove_channels

    if output.suffix != ".keras":
        raise ParameterError(f"output: received {str(output)!r}, expected a name ending in .keras")
    pruned = remove_channels(
        load_model(keras, model),
        ratio=ratio,
        budget=Budget(*_kind_and_limit(budget)) if budget is not None else None,
        criterion=criterion,
        scope=scope,
        limits=Limits(keep=tuple(keep or ()), multiple=multiple, max_ratio=max_ratio),
        seed=seed,
        moving_statistics=moving_statistics,
    )
    pruned.model.save(output)
    say(str(pruned.report))
    say(f"saved: {output}")
    return Answer({"output": str(output), **asdict(pruned.report)})


def quiet_keras() -> Any:
    """Import Keras on whichever backend is set, without the backend's log lines."""
    with quiet_stderr():
        import keras

        keras.ops.zeros(1)
    return keras


def load_model(keras: Any, path: Path) -> Any:
    """Load a saved model.

    Raises
    ------
    ParameterError
        If there is no such file, or Keras cannot read it.
    """
    if not path.exists():
        raise ParameterError(f"model: received {str(path)!r}, expected a file that exists")
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its readers of zip, HDF5 and JSON raise
        said = " ".join(str(error).split())[:200]
        raise ParameterError(
            f"model: received {str(path)!r}, expected a model that Keras saved ({said})"
        ) from error


def _kind_and_limit(text: str) -> tuple[str, float]:
    kind, _, limit = text.partition("=")
    try:
        return kind, float(limit)
    except ValueError:
        raise ParameterError(
            f"budget: received {text!r}, expected kind=number, such as parameters=100000"
        ) from None
