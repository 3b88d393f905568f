"""The architecture of a model as JSON that is safe to read, and the model that it makes."""

import copy
import json
from collections.abc import Callable
from types import FunctionType
from typing import Any

import keras
from keras.src.backend.common import global_state

from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.model_graph.calls import check_model, layers_by_path
from slimderm.components.model_graph.copies import config_of, configs_by_path, take_vocabulary
from slimderm.components.network_compression.slim_safety import MODELS, NOT_KEPT, problems

_WAITING = "uninitialized_variables"  # Keras's name for variables made in a StatelessScope


def write_architecture(model: Any) -> bytes:
    """Write a model's architecture; nothing of its weights, its optimizer or how it was compiled.

    Raises
    ------
    ParameterError
        For a model with a part that is not Keras's own, or that Keras cannot make again.
    """
    check_model(model)
    config = config_of(model)
    configs = configs_by_path(model, config)
    for path, layer in layers_by_path(model).items():
        take_vocabulary(layer, configs[path])
        _check_functions(path, layer, configs[path])
    kind = type(model)
    module = "keras" if kind is keras.Sequential else kind.__module__
    document = {"module": module, "class_name": kind.__name__, "config": _without(config)}
    for where, reason in problems(document):
        raise ParameterError(
            f"{where}: received {reason}, expected layers and functions of Keras alone; a .slim "
            "file holds no code"
        )
    try:
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"model: received {model.name!r}, whose config is no JSON ({error}), expected one that "
            "model.save could write"
        ) from error


def _check_functions(path: str, layer: Any, config: dict[str, Any]) -> None:
    """Refuse a function that another one would stand for when it is read."""
    for key, written in config.items():
        part = getattr(layer, key, None)
        if not (isinstance(part, FunctionType) and isinstance(written, str)):
            continue
        if keras.activations.get(written) is not part:
            raise ParameterError(
                f"{path}: received {key}={part.__module__}.{part.__name__}, expected a function "
                f"of keras.activations; {written!r} in a file means another"
            )


def _without(value: Any) -> Any:
    """Leave out what the architecture says anyway, or must not."""
    if isinstance(value, dict):
        return {key: _without(part) for key, part in value.items() if key not in NOT_KEPT}
    return [_without(part) for part in value] if isinstance(value, (list, tuple)) else value


def read_architecture(text: bytes, max_parameters: int) -> dict[str, Any]:
    """Read an architecture, and make sure that Keras may see it.

    Raises
    ------
    SlimFileError
        For what is no JSON, no model, names anything but parts of Keras, or has numbers above
        `max_parameters`.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SlimFileError(f"architecture: received no JSON ({error})") from error
    for where, reason in problems(document, max_parameters):
        raise SlimFileError(
            f"architecture: received {where!r:.60} with {reason}, expected layers and functions of "
            "Keras alone; raise max_parameters for a larger network"
        )
    names = [kind.__name__ for kind in MODELS]
    if not isinstance(document, dict) or document.get("class_name") not in names:
        raise SlimFileError(f"architecture: received no model, expected one of {', '.join(names)}")
    if not isinstance(document.get("config"), dict):
        raise SlimFileError("architecture: received a model without a config")
    return document


def build(document: dict[str, Any], fill: Callable[[Any, list[Any]], None] | None = None) -> Any:
    """Make the model of an architecture.

    Its weights take no memory before `fill` has seen them, and none at all without it.

    Parameters
    ----------
    document : dict
        As `read_architecture` gives it.
    fill : callable, optional
        Takes the model and every variable that it made; gives weights their values, or raises.

    Raises
    ------
    SlimFileError
        If Keras cannot make it.
    """
    (kind,) = (kind for kind in MODELS if kind.__name__ == document["class_name"])
    before = global_state.get_global_attribute(_WAITING, [])
    waiting: list[Any] = []
    global_state.set_global_attribute(_WAITING, waiting)
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = _made(kind, document["config"])
            if fill is not None:
                fill(model, waiting)
        if fill is not None:
            with keras.StatelessScope():  # at its end the weights get their values
                pass
    finally:  # those of a model that was given up are never made
        global_state.set_global_attribute(_WAITING, before)
    return model


def _made(kind: Any, config: dict[str, Any]) -> Any:
    try:
        model = kind.from_config(copy.deepcopy(config))
        check_model(model)
    except Exception as error:  # Keras raises whatever its layers raise
        said = " ".join(str(error).split())[:200]
        raise SlimFileError(
            f"architecture: received one that Keras cannot build ({said})"
        ) from error
    return model
