"""Like is ranked with like, against ratios counted by hand."""

import keras
import numpy as np
import pytest
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.alike import alike
from slimderm.components.pruning.method import PruningMethod
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.selection import Planner


def bottlenecks(widths=(8, 16)):
    """Two residual blocks: their inner widths are alike, and the stream is by itself."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(12, 3, padding="same", name="stem")(image)
    for index, width in enumerate(widths):
        y = layers.Conv2D(width, 1, name=f"inner{index}")(x)
        y = layers.BatchNormalization(name=f"norm{index}")(y)
        y = layers.Conv2D(12, 3, padding="same", name=f"outer{index}")(layers.ReLU()(y))
        x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(20, activation="relu", name="dense")(x)
    return keras.Model(image, layers.Dense(2, name="out")(x))


def test_blocks_are_alike_whatever_their_widths():
    found = {frozenset(group.name for group in groups) for groups in alike(trace(bottlenecks()))}
    assert found == {
        frozenset({"inner0", "inner1"}), frozenset({"stem"}), frozenset({"dense"}),
        frozenset({"out"}),
    }  # fmt: skip


def test_each_kind_loses_its_ratio_and_the_least_of_its_kind_go():
    graph = trace(bottlenecks())
    scores = np.zeros(graph.num_coupled)
    for name, score in (("stem", 0), ("inner0", 1), ("inner1", 2), ("dense", 3)):
        scores[graph.producers[name].labels] = score
    plan_of = Planner(graph, scores, scope="isomorphic", comparable=True)
    keep = plan_of.plan(0.25)
    found = {path: int(keep[entry.labels].sum()) for path, entry in graph.producers.items()}
    # Of the 24 inner channels 6 go, all of them of inner0; a global threshold would empty the stem.
    assert found == {
        "stem": 9, "inner0": 2, "inner1": 16, "outer0": 9, "outer1": 9, "dense": 15, "out": 2
    }  # fmt: skip


@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.9])
def test_where_no_layer_is_like_another_it_is_local(small, ratio):
    model = small()
    local = prune(model, ratio=ratio, criterion="l2").log["removed"]
    assert len(alike(trace(model))) == 4
    assert prune(model, ratio=ratio, criterion="l2", scope="isomorphic").log["removed"] == local


def test_a_pruned_model_is_smaller_and_masks_have_no_such_scope():
    model = bottlenecks()
    smaller = prune(model, ratio=0.5, scope="isomorphic").model
    kept = sum(smaller.get_layer(f"inner{index}").filters for index in (0, 1))
    assert (kept, smaller.get_layer("stem").filters, smaller.get_layer("dense").units) == (
        12,
        6,
        10,
    )
    assert PruningMethod("l1", scope="isomorphic").scores_matter
    with pytest.raises(ParameterError, match="received isomorphic with masks"):
        PruningMethod(masks=True, scope="isomorphic")
