"""Make a functional Keras 3 model again, from its config, perhaps changed."""

import warnings
from types import FunctionType
from typing import Any

import keras

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import is_functional, is_operation, layers_by_path


def configs_by_path(
    model: Any, config: dict[str, Any], prefix: str = ""
) -> dict[str, dict[str, Any]]:
    """Map each layer's path to its config, and forget the shapes layers were built with."""
    found: dict[str, dict[str, Any]] = {}
    layers = {layer.name: layer for layer in model.layers}
    for entry in config["layers"]:
        entry.pop("build_config", None)
        inner = entry["config"]
        name = inner.get("name", entry.get("name", ""))
        path = prefix + name
        if is_functional(layers.get(name)):
            inner.pop("build_input_shape", None)
            found |= configs_by_path(layers[name], inner, f"{path}/")
        else:
            found[path] = inner
            for held in inner.values():  # what a wrapper holds
                if isinstance(held, dict) and "build_config" in held and "config" in held:
                    held.pop("build_config")
                    found[f"{path}/{held['config'].get('name')}"] = held["config"]
    return found


def calls_by_path(
    model: Any, config: dict[str, Any], prefix: str = ""
) -> dict[str, list[dict[str, Any]]]:
    """Map the path of each operation and layer to what a config says of its calls."""
    found: dict[str, list[dict[str, Any]]] = {}
    layers = {layer.name: layer for layer in model.layers}
    for entry in config["layers"]:
        name = entry["config"].get("name", entry.get("name", ""))
        found[prefix + name] = entry.get("inbound_nodes", [])
        if is_functional(layers.get(name)):
            found |= calls_by_path(layers[name], entry["config"], f"{prefix}{name}/")
    return found


def config_of(model: Any) -> dict[str, Any]:
    """Return a model's config.

    Raises
    ------
    ParameterError
        For a model with a part that has none.
    """
    with warnings.catch_warnings():  # that a lambda is no safe thing to read from a file
        warnings.simplefilter("ignore", UserWarning)
        try:
            config: dict[str, Any] = model.get_config()
        # What the get_config of somebody's layer raises where it cannot say what it was made of.
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise _not_remade(model, error) from error
    return config


def _not_remade(model: Any, error: Exception) -> ParameterError:
    return ParameterError(
        f"model: received {model.name!r}, which Keras cannot make of its config "
        f"({str(error).strip().splitlines()[0]}), expected layers, functions and regularizers "
        "with a get_config that says all their arguments"
    )


def remade(model: Any, config: dict[str, Any] | None = None) -> Any:
    """Return a model made of this one's config, perhaps changed; its weights are new.

    Layers, functions and regularizers that are not Keras's own need not be registered, but are
    handed over as they are: the model is here already, so its code is trusted.

    Raises
    ------
    ParameterError
        For a model that Keras cannot make of its config all the same.
    """
    config = config_of(model) if config is None else config
    configs = configs_by_path(model, config)
    known: dict[str, Any] = {}
    for path, layer in layers_by_path(model).items():
        known |= _classes(layer)
        take_vocabulary(layer, configs[path])
        for key in configs[path]:
            part = getattr(layer, "_output_shape" if key == "output_shape" else key, None)
            if isinstance(part, FunctionType) and not _goes_by_name(part):
                name = f"{path}/{key}"  # stands for it in the config
                bare = isinstance(layer, keras.layers.Lambda)
                configs[path][key] = name if bare else _named(name)
                known[name] = part
            else:
                known |= _classes(part)
    try:
        return type(model).from_config(config, custom_objects=known)
    except (TypeError, ValueError) as error:
        raise _not_remade(model, error) from error


def check_settings(path: str, layer: Any, copy: Any) -> None:
    """Refuse a layer of somebody's whose copy has another setting: its config does not say it.

    Raises
    ------
    ParameterError
        For a fraction, a text or a truth value that differs. Whole numbers may count something.
    """
    if type(layer).__module__.startswith("keras.src."):
        return
    own = set(vars(layer)) & set(vars(copy)) - set(vars(keras.layers.Layer()))
    for name in sorted(own):
        said, found = vars(layer)[name], vars(copy)[name]
        if type(said) in (float, bool, str) and type(found) is type(said) and found != said:
            raise ParameterError(
                f"{path}: received a {type(layer).__name__} whose {name} of {said} is {found} when "
                "Keras makes it of its config; let its get_config say all its arguments"
            )


def _goes_by_name(function: FunctionType) -> bool:
    """Tell whether Keras finds this very function by the name that a config gives it.

    Not an operation: there `keras.ops.gelu` becomes `keras.activations.gelu`, which is another.
    """
    module = function.__module__ or ""  # none where code is run from a string
    return module.startswith("keras.") and not is_operation(function)


def take_vocabulary(layer: Any, config: dict[str, Any]) -> None:
    """Write what a lookup has learned into its config, which says only what it was given."""
    if "vocabulary" not in config or config["vocabulary"] is not None:
        return
    if config.get("output_mode") == "tf_idf":
        raise ParameterError(
            f"model: received {layer.name!r}, which has learned weights of its vocabulary, "
            "expected one that was given vocabulary and idf_weights when it was made"
        )
    learned = layer.get_vocabulary(include_special_tokens=False)
    if len(learned):
        config["vocabulary"] = [getattr(entry, "item", lambda e=entry: e)() for entry in learned]


def _classes(part: Any) -> dict[str, Any]:
    """Name the class of a part of a model that is neither Keras's nor Python's own."""
    kind = type(part)
    owner = kind.__module__.split(".")[0]
    # A layer that was written where no module has a name says that it is Python's own.
    known = owner == "keras" or (owner == "builtins" and not issubclass(kind, keras.layers.Layer))
    return {} if known else {kind.__name__: kind}


def _named(name: str) -> dict[str, Any]:
    """Return how Keras writes a function that goes by a name."""
    return {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}


def copied(model: Any, config: dict[str, Any] | None = None) -> Any:
    """Return a copy with the same weights, perhaps of another config with as many."""
    copy = remade(model, config)
    copy.set_weights(model.get_weights())
    settle(copy)
    return copy


def settle(model: Any) -> None:
    """Let `Normalization` layers take up the statistics that were put into their weights."""
    for layer in layers_by_path(model).values():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
