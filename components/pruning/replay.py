"""What was taken out of a model, as JSON that does the same again."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.graph import Graph, Keep
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.surgery import remove

Log = dict[str, Any]
FORMAT = 1


def write_log(graph: Graph, keep: Keep) -> Log:
    """Note what is taken out of a model, as JSON.

    Returns
    -------
    dict
        ``format``, ``model`` (its name), ``widths`` (layer to its number of channels before),
        ``removed`` (layer to the places of its channels that go, counted from 0), and
        ``moving_statistics``.
    """
    removed = {
        path: np.flatnonzero(~keep[producer.labels]).tolist()
        for path, producer in graph.producers.items()
    }
    return {
        "format": FORMAT,
        "model": graph.model.name,
        "widths": {path: len(producer.labels) for path, producer in graph.producers.items()},
        "removed": {path: places for path, places in removed.items() if places},
        "moving_statistics": graph.moving,
    }


def replay(model: keras.Model, log: Mapping[str, Any]) -> keras.Model:
    """Take out of a model what a log says, with the weights that the model has.

    Parameters
    ----------
    model : keras.Model
        The one that the log was written for.
    log : mapping
        As `write_log` gives it, perhaps read from a file.

    Returns
    -------
    keras.Model
        Bit for bit the pruned model, if the weights are those from before.

    Raises
    ------
    ParameterError
        When the log is of another format or was written for another model.
    """
    _check_form(log)
    graph = trace(model, moving=log.get("moving_statistics", False) is True)
    return remove(graph, read_log(graph, log))


def read_log(graph: Graph, log: Mapping[str, Any]) -> Keep:
    """Turn a log into the coupled channels that stay.

    Raises
    ------
    ParameterError
        When the log is malformed, of another format, or was written for another model.
    """
    _check_form(log)
    widths = {path: len(producer.labels) for path, producer in graph.producers.items()}
    if log["widths"] != widths:
        wrong = [
            f"{path} {log['widths'].get(path, 'absent')}, here {widths.get(path, 'absent')}"
            for path in {**widths, **log["widths"]}
            if log["widths"].get(path) != widths.get(path)
        ]
        raise ParameterError(
            f"log: received one of {log.get('model')!r} with {'; '.join(wrong[:3])}, expected one "
            "written for this model"
        )
    keep = np.ones(graph.num_coupled, bool)
    for path, places in log["removed"].items():
        width = widths.get(path, 0)
        if any(not 0 <= place < width for place in places):
            raise ParameterError(
                f"log: received {path} without the channels {places}, expected layers of this "
                f"model and places from 0 to {width - 1}"
            )
        keep[graph.producers[path].labels[places]] = False
    if write_log(graph, keep)["removed"] != log["removed"]:
        raise ParameterError(
            "log: received one that separates coupled channels of this model, expected one written "
            "for this model"
        )
    return keep


def _check_form(log: Any) -> None:
    expected = "expected what `write_log` gives, or its JSON read from a file"
    if not isinstance(log, Mapping):
        raise ParameterError(f"log: received {type(log).__name__}, {expected}")
    if log.get("format") != FORMAT:
        raise ParameterError(f"log: received format {log.get('format')!r}, expected {FORMAT}")
    for key in ("widths", "removed"):
        if not isinstance(log.get(key), Mapping):
            raise ParameterError(f"log: received {log.get(key)!r} for {key}, {expected}")
    for path, places in log["removed"].items():
        whole = isinstance(places, list) and all(type(place) is int for place in places)
        if not whole or not places:
            raise ParameterError(f"log: received {places!r} for {path}, {expected}")
