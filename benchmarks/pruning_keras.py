"""Our side of ``benchmarks/pruning.py``."""

import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import tensorflow as tf

from benchmarks import pruning_models
from benchmarks.pruning_timing import THREADS, Effort, alternate, median, once
from slimderm import Limits
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.criteria.base import ScoringInputs
from slimderm.components.pruning.importance import importance
from slimderm.components.pruning.masks import apply_masks, magnitude_masks
from slimderm.components.pruning.selection import Planner
from slimderm.components.pruning.surgery import remove

# The values inside a head, by the names of `MultiHeadAttention` and of our Swin-T's layers.
HEADS_KEEP = {"vit_b_16": ("*/values",), "swin_t": ("*/d",)}


def inference(one: Any, image: Any) -> Callable[[], object]:
    """Return the call of a model in Keras."""
    function = tf.function(lambda inputs: one(inputs, training=False))
    return lambda: np.asarray(function(image))


def exported(one: Any, image: Any) -> Callable[[], object]:
    """Return the call of a model in LiteRT, as kiosks and telephones run it."""
    signature = tf.TensorSpec(image.shape, image.dtype)
    function = tf.function(lambda inputs: one(inputs, training=False))
    concrete = function.get_concrete_function(signature)
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete], one).convert()
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=THREADS)
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]
    answer = interpreter.get_output_details()[0]["index"]
    values = image.numpy()

    def call() -> object:
        interpreter.set_tensor(place, values)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return call


def make(name: str, size: int) -> keras.Model:
    """Build a network of `keras.applications`, or else one of ours."""
    if hasattr(keras.applications, name):
        maker = getattr(keras.applications, name)
        return maker(weights=None, input_shape=(size, size, 3))
    return getattr(pruning_models, name)(size)


def count(model: keras.Model) -> int:
    """Count what PyTorch calls parameters: no moving statistics."""
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


def measure(name: str, effort: Effort) -> dict[str, Any]:
    """Measure our pruner, and Keras's own time to construct the smaller model."""
    model = make(name, effort.size)
    limits = Limits(keep=HEADS_KEEP.get(name, ()))

    def plan() -> tuple[Any, Any]:
        graph = trace(model, moving=True)
        planner = Planner(graph, importance(ScoringInputs(graph), "l1"), limits=limits)
        return graph, planner.plan(0.5)

    plan_s = median(plan, effort)
    small = remove(*plan())
    found = {"plan_s": plan_s, "params": [count(model), count(small)]}
    if effort.seconds:
        found |= speeds(model, small, lambda: remove(*plan()), effort)
    return found


def speeds(
    model: keras.Model, small: keras.Model, prune: Callable[[], object], effort: Effort
) -> dict[str, Any]:
    """Measure surgery, and how fast the whole, the pruned and a masked model are."""
    build, total = [], []
    for _ in range(effort.repeats):
        config = small.get_config()
        build.append(once(lambda: keras.Model.from_config(config)))  # noqa: B023
        total.append(once(prune))
    masked = keras.models.clone_model(model)
    masked.set_weights(model.get_weights())
    apply_masks(masked, magnitude_masks(masked, 0.5))
    image = tf.zeros((1, effort.size, effort.size, 3))

    models = {"whole": model, "pruned": small, "masked": masked}
    found = alternate(
        {label: inference(one, image) for label, one in models.items()}, effort.seconds
    )
    lite = alternate({label: exported(one, image) for label, one in models.items()}, effort.seconds)
    return {
        "keras_build_s": statistics.median(build),
        "total_s": statistics.median(total),
        "total_over_keras_build": statistics.median(total) / statistics.median(build),
        "speedup_keras": found["whole"] / found["pruned"],
        "speedup_masks": found["whole"] / found["masked"],
        "speedup_litert": lite["whole"] / lite["pruned"],
        "speedup_masks_litert": lite["whole"] / lite["masked"],
        "ms": {
            kind: [1000 * seconds["whole"], 1000 * seconds["pruned"]]
            for kind, seconds in (("keras", found), ("litert", lite))
        },
    }
