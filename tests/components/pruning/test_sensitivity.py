"""The sensitivity scan against models from which the channels are really gone."""

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.method import Limits
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.sensitivity import sensitivity
from slimderm.components.reporting.sensitivity_plot import sensitivity_plot

IMAGES = np.random.default_rng(0).random((5, 8, 8, 3)).astype("float32")


def worth(model):
    return float(np.asarray(model(IMAGES, training=False)).sum())


def test_each_value_is_that_of_a_model_pruned_in_one_layer_alone(small):
    model = small()
    before = [weight.copy() for weight in model.get_weights()]
    counted = []
    found = sensitivity(
        model, worth, ratios=(0.25, 0.6), criterion="l2", progress=lambda *n: counted.append(n)
    )
    assert found.unpruned == pytest.approx(worth(model), rel=1e-5)
    assert found.layers == {"a": ("a", "b"), "c": ("c",), "d": ("d",)}
    for layer, values in found.values.items():
        for ratio, value in values.items():
            alone = prune(model, ratio=ratio, criterion="l2", limits=Limits(only=[layer])).model
            assert value == pytest.approx(worth(alone), rel=1e-4, abs=1e-4)
    assert counted == [(done, 7) for done in range(1, 8)]
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_limits_hold_and_the_table_speaks(small):
    found = sensitivity(
        small(), lambda model: 0.5, ratios=(0.5, 0.75), limits=Limits(keep=["a"], floors={"c": 3})
    )
    assert str(found).splitlines() == [
        "              0.5     0.75",
        "c          0.5000   0.5000",
        "d          0.5000   0.5000",
        "unpruned   0.5000",
    ]


def test_the_picture_has_a_field_for_each_value(small):
    found = sensitivity(small(), worth, ratios=(0.5,))
    ax = sensitivity_plot(found, "sum").axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "c", "d"]
    assert [text.get_text() for text in ax.texts] == [
        f"{found.values[name][0.5]:.3f}" for name in "acd"
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"ratios": ()}, "ratios: received none"),
        ({"ratios": (0.5, 1)}, "ratios: received 1, expected"),
        ({"criterion": "l7"}, "criterion: received 'l7'"),
        ({"criterion": "taylor"}, "data: received none"),
        ({"evaluate": lambda model: None}, "evaluate: received NoneType from it, expected a numb"),
    ],
)
def test_what_cannot_be_scanned_is_refused(small, arguments, words):
    with pytest.raises(ParameterError, match=words):
        sensitivity(small(), **{"evaluate": worth} | arguments)
