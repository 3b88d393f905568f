"""Sensitivity scan of any Keras model file, outside the pipeline."""

import csv
import importlib.util
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from slimderm.components.common.errors import ParameterError
from slimderm.flows.base.terminal import progress_bars
from slimderm.flows.cli.command import Answer, Json, say
from slimderm.flows.cli.pruning import Criterion, load_model, quiet_keras


def sensitivity(
    model: Annotated[Path, typer.Argument(help="A saved Keras model, functional or sequential.")],
    evaluate: Annotated[
        str,
        typer.Argument(
            help="Python file and name of a function that takes a model and returns a number, "
            "larger being better, such as judge.py:accuracy."
        ),
    ],
    *,
    ratio: Annotated[
        list[float] | None,
        typer.Option(help="Ratio of a layer's channels, above 0 and below 1. Repeatable."),
    ] = None,
    criterion: Criterion = "l1",
    output: Annotated[
        Path, typer.Option(help="Table (.csv) and picture (.png) get this name.")
    ] = Path("sensitivity"),
    as_json: Json = False,
) -> Answer:
    """Prune one layer of a Keras model at a time and evaluate it.

    Reads the model file and runs your Python file. Writes a table and a picture: what the model is
    worth when a ratio of one layer's channels is gone. Trains nothing. Takes one run of your
    function for each layer that can shrink and each ratio, a few hundred images each are enough.
    """
    function = _function(evaluate)
    keras = quiet_keras()
    from slimderm.components.pruning.sensitivity import RATIOS
    from slimderm.components.pruning.sensitivity import sensitivity as scan
    from slimderm.components.reporting.sensitivity_plot import sensitivity_plot

    with progress_bars() as update:
        found = scan(
            load_model(keras, model),
            function,
            ratios=tuple(ratio or RATIOS),
            criterion=criterion,
            progress=lambda done, total: update("evaluating", total, done),
        )
    table, picture = output.with_suffix(".csv"), output.with_suffix(".png")
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["layer", "ratio", "value"])
        writer.writerow(["", 0, found.unpruned])
        for layer, values in found.values.items():
            writer.writerows([layer, share, value] for share, value in values.items())
    sensitivity_plot(found, evaluate.rpartition(":")[2]).savefig(picture, dpi=150)
    say(str(found))
    say(f"saved: {table}, {picture}")
    return Answer({"table": str(table), "picture": str(picture), **asdict(found)})


def _function(text: str) -> Callable[[Any], float]:
    """Load a function from a Python file.

    Raises
    ------
    ParameterError
        If there is no such file, or no such function in it.
    """
    place, _, name = text.rpartition(":")
    expected = "expected a Python file and a function in it, such as judge.py:accuracy"
    if not Path(place).is_file():
        raise ParameterError(f"evaluate: received {text!r}, {expected}")
    spec = importlib.util.spec_from_file_location("slimderm_evaluate", place)
    if spec is None or spec.loader is None:
        raise ParameterError(f"evaluate: received {text!r}, {expected}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = getattr(module, name, None)
    if not callable(found):
        raise ParameterError(f"evaluate: received {text!r}, which has no {name!r}, {expected}")
    function: Callable[[Any], float] = found
    return function
