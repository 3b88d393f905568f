"""What the architecture in a `.slim` file may name: parts of Keras that run no code of the file."""

import sys
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.models.functional import Functional

# How Keras writes values that JSON has not; its lambdas and TensorFlow's types are not among them.
VALUES = ("__keras_tensor__", "__numpy__", "__tensor__", "__slice__", "__ellipsis__", "__bytes__")
KINDS = (
    keras.Operation,  # layers are such, too
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
    keras.dtype_policies.DTypePolicy,
    keras.quantizers.Quantizer,
    keras.quantizers.QuantizationConfig,
    keras.random.SeedGenerator,
)
MODELS = (Functional, keras.Sequential)
# Layers that run code, or read files, that their config names.
UNSAFE = (
    keras.layers.Lambda,
    keras.layers.TFSMLayer,
    keras.layers.TorchModuleWrapper,
    keras.layers.JaxLayer,
    keras.layers.FlaxLayer,
)
NOT_KEPT = ("build_config", "compile_config")  # what a model was built and compiled with
DEEPEST = 100

Problem = tuple[str, str]  # the layer, and what it must not have


def problems(value: Any, largest: int | None = None) -> Iterator[Problem]:
    """Yield what an architecture must not name, and where.

    Parameters
    ----------
    value : JSON value
        The architecture as Keras writes it.
    largest : int, optional
        No whole number may be above it, seeds aside: dimensions are such numbers.
    """
    yield from _walk(value, "model", largest, 0)


def _walk(value: Any, where: str, largest: int | None, depth: int) -> Iterator[Problem]:
    if depth > DEEPEST:
        yield where, f"values inside each other deeper than {DEEPEST}"
    elif isinstance(value, dict):
        yield from _walk_dict(value, where, largest, depth)
    elif isinstance(value, list):
        for part in value:
            yield from _walk(part, where, largest, depth + 1)
    elif largest is not None and isinstance(value, int) and abs(value) > largest:
        yield where, f"the number {str(value)[:20]}, which is above max_parameters ({largest})"


def _walk_dict(
    value: dict[str, Any], where: str, largest: int | None, depth: int
) -> Iterator[Problem]:
    inner = value.get("config")
    if isinstance(inner, dict) and isinstance(inner.get("name"), str) and "module" in value:
        where = inner["name"]
    if "class_name" in value:
        reason = _refusal(value)
        if reason:
            yield where, reason
    if isinstance(value.get("vocabulary"), str):
        yield where, "a vocabulary that is read from a file"
    for key, part in value.items():
        if key in NOT_KEPT:
            yield where, f"a {key}"
        yield from _walk(part, where, None if key == "seed" else largest, depth + 1)


def _refusal(value: dict[str, Any]) -> str:
    """Say why an object must not be made, empty if it may."""
    name, module = value["class_name"], value.get("module")
    if module is None and name in VALUES:
        return ""
    if name in ("function", "__lambda__"):
        return f"a function, {value.get('registered_name') or value.get('config')!r:.60}"
    full = f"{module}.{name}"
    kind: Any = None
    if isinstance(module, str) and module.split(".")[0] == "keras":
        kind = getattr(sys.modules.get(module), str(name), None)
    if not isinstance(kind, type) or kind.__module__.split(".")[0] != "keras":
        return f"{full:.80}, which is no class of Keras"
    if not issubclass(kind, KINDS):
        return f"{full:.80}, which is no part of a network"
    if issubclass(kind, UNSAFE):
        return f"{full}, which runs code of its own"
    if issubclass(kind, keras.Model) and kind not in MODELS:
        return f"{full}, which is no functional or sequential model"
    if value.get("registered_name") not in (None, name):
        return f"{full} under the name {value['registered_name']!r:.60}"
    return ""
