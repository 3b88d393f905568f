"""How many channels go, and which; and the targets that a plan can meet."""

import math
import warnings
from fractions import Fraction

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.cost import Costs, multiply_accumulates
from slimderm.components.model_graph.latency import latency
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning import budget as budget_module
from slimderm.components.pruning.apply_step import apply_step, parameters_left, sizes
from slimderm.components.pruning.budget import saved_bytes
from slimderm.components.pruning.method import Budget, Limits, PruningMethod, PruningStep, matching
from slimderm.components.pruning.pruner import prune
from slimderm.components.pruning.selection import Planner, shrinkable, widths
from slimderm.components.pruning.surgery import remove


def planner(model, **kwargs):
    graph = trace(model)
    scores = kwargs.pop("scores", np.arange(graph.num_coupled, dtype=float))
    return Planner(graph, scores, **kwargs)


def left(plan_of, ratio):
    return widths(plan_of.graph, plan_of.plan(ratio))


@pytest.mark.parametrize("percent", [50, 33.33, 16.5, 8.25])
def test_a_ratio_leaves_the_papers_number_of_every_layer(small, percent):
    share = Fraction(str(percent)) / 100
    expected = {
        name: math.floor(width * (1 - share))
        for name, width in {"a": 8, "b": 8, "c": 6, "d": 10}.items()
    }
    assert left(planner(small()), share) == expected | {"out": 3}


def test_the_least_important_go(small):
    plan_of = planner(small())
    keep = plan_of.plan(0.5)
    for name in "acd":
        labels = plan_of.graph.producers[name].labels
        assert keep[labels].tolist() == [False] * (len(labels) // 2) + [True] * (len(labels) // 2)


def test_one_threshold_over_all_layers(small):
    model = small()
    graph = trace(model)
    scores = np.zeros(graph.num_coupled)
    scores[graph.producers["c"].labels] = [1, 2, 3, 4, 5, 6]
    scores[graph.producers["d"].labels] = 10
    scores[graph.producers["a"].labels] = 20
    scores[graph.producers["out"].labels] = 0  # may not go
    plan_of = Planner(graph, scores, scope="global", comparable=True)
    assert left(plan_of, 4 / 24) == {"a": 8, "b": 8, "c": 2, "d": 10, "out": 3}
    # Were scales not comparable, each would be divided by its group's mean.
    plan_of = Planner(graph, scores, scope="global")
    keep = plan_of.plan(3 / 24)
    assert keep[graph.producers["c"].labels].tolist() == [False] * 3 + [True] * 3


def test_ratios_can_count_from_what_was_there_once(small):
    model = small()
    once = prune(model, ratio=0.5, criterion="uninformed").model
    graph = trace(once)
    original = {group.name: len(group.coupled) for group in trace(model).groups}
    plan_of = Planner(graph, np.zeros(graph.num_coupled), original=original)
    assert left(plan_of, 0.75) == {"a": 2, "b": 2, "c": 1, "d": 2, "out": 3}
    assert left(plan_of, 0.25) == {"a": 4, "b": 4, "c": 3, "d": 5, "out": 3}


@pytest.mark.parametrize("scope", ["local", "global"])
def test_layers_cut_one_after_the_other_lose_the_same(scope, tmp_path):
    inputs = keras.Input((4,))
    x = inputs
    for index in range(3):
        x = layers.Dense(64, name=f"d{index}")(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    method = PruningMethod("random", scope=scope, init="inherit")
    original = sizes(model, Limits())
    for index in range(3):
        pruning_step = PruningStep(total=0.75, layers=(f"d{index}",))
        model = apply_step(model, pruning_step, method, tmp_path, original=original)
    assert [model.get_layer(f"d{index}").units for index in range(3)] == [16] * 3


FEWEST = {  # millions of parameters that torch-pruning leaves of half the channels
    "VGG16": 35.6,
    "ResNet50": 6.9,
    "DenseNet169": 4.0,
    "MobileNetV2": 1.2,
    "EfficientNetB0": 1.7,
}


@pytest.mark.parametrize("name", FEWEST)
def test_half_the_channels_leave_no_more_than_torch_pruning_does(name):
    with keras.StatelessScope():  # nothing looks at weights
        model = getattr(keras.applications, name)(weights=None)
    assert parameters_left(model, 0.5, Limits()) / 1e6 < FEWEST[name] * 1.05


def test_floors_multiples_and_layers_that_are_left_out(small):
    model = small()
    assert left(planner(model, limits=Limits(multiple=4)), 0.5)["d"] == 4
    assert left(planner(model, limits=Limits(multiple=4)), 0.4)["d"] == 8
    assert left(planner(model, limits=Limits(multiple=4)), 0.9)["c"] == 4
    assert left(planner(model, limits=Limits(multiple=16)), 0.9)["d"] == 10
    assert left(planner(model, limits=Limits(floors={"b": 7, "d": 4})), 0.9) == {
        "a": 7, "b": 7, "c": 1, "d": 4, "out": 3
    }  # fmt: skip
    assert left(planner(model, limits=Limits(keep=["a*"])), 0.5)["a"] == 8
    assert left(planner(model, limits=Limits(only=["b"])), 0.5) == {
        "a": 4, "b": 4, "c": 6, "d": 10, "out": 3
    }  # fmt: skip
    found = shrinkable(trace(model), Limits(keep=["c"]))
    assert sorted(found.values()) == [8, 10]


def test_floors_are_rounded_up_to_the_multiple(small):
    limits = Limits(floors={"d": 5}, multiple=4)
    assert left(planner(small(), limits=limits), 0.9)["d"] == 8


def test_what_floors_or_a_multiple_hold_back_is_not_shrinkable(small):
    limits = Limits(floors={"b": 8, "d": 8}, multiple=4)
    assert sorted(shrinkable(trace(small()), limits)) == ["c", "d"]


def test_brackets_in_a_name_are_no_pattern():
    names = ["a[0]", "a0", "b"]
    assert matching(names, "a[0]", "layer") == ["a[0]"]
    assert matching(names, "a*", "layer") == ["a[0]", "a0"]


def test_every_layer_keeps_a_channel_even_where_only_some_are_coupled():
    image = keras.Input((4, 4, 3))
    a, b = layers.Conv2D(2, 1, name="a")(image), layers.Conv2D(6, 1, name="b")(image)
    c = layers.Conv2D(8, 1, name="c")(image)
    x = layers.Add()([layers.Concatenate()([a, b]), c])
    model = keras.Model(image, layers.Conv2D(1, 1, name="out")(x))
    graph = trace(model)
    scores = np.ones(graph.num_coupled)
    scores[graph.producers["a"].labels] = 0
    found = left(Planner(graph, scores), 0.5)
    assert found == {"a": 1, "b": 3, "c": 4, "out": 1}


def two_layers(p=10, q=10):
    inputs = keras.Input((5,))
    x = layers.Dense(q, name="q")(layers.Dense(p, name="p")(inputs))
    graph = trace(keras.Model(inputs, layers.Dense(2, name="out")(x)))
    scores = np.zeros(graph.num_coupled)
    scores[graph.producers["p"].labels] = np.arange(p) * 0.01  # all less than any of q
    scores[graph.producers["q"].labels] = 1 + np.arange(q)
    return graph, scores


@pytest.mark.parametrize(
    ("floors", "expected"), [({}, (1, 9)), ({"p": 8}, (8, 2)), ({"q": 10}, (1, 10))]
)
def test_where_a_floor_holds_others_go_until_the_share_is_reached(floors, expected):
    graph, scores = two_layers()
    plan_of = Planner(graph, scores, scope="global", comparable=True, limits=Limits(floors=floors))
    assert left(plan_of, 0.5) == {"p": expected[0], "q": expected[1], "out": 2}


@given(
    st.lists(st.integers(0, 3), min_size=14, max_size=14),
    st.integers(1, 7),
    st.integers(1, 7),
    st.floats(0.05, 0.95),
)
def test_one_threshold_with_floors_is_the_greedy_choice_by_hand(scores, low, high, ratio):
    """Against a loop over all channels, least first, that asks at each whether it may go."""
    graph, _ = two_layers(7, 7)
    values = np.zeros(graph.num_coupled)
    for name, part in (("p", scores[:7]), ("q", scores[7:])):
        values[graph.producers[name].labels] = part
    limits = Limits(floors={"p": low, "q": high})
    found = left(Planner(graph, values, scope="global", comparable=True, limits=limits), ratio)
    widths_left, floors = {"p": 7, "q": 7}, {"p": low, "q": high}
    number = 14 - math.floor(14 * (1 - Fraction(str(ratio))))
    for _, name in sorted(zip(scores, "p" * 7 + "q" * 7, strict=True)):
        if number and widths_left[name] > floors[name]:
            widths_left[name] -= 1
            number -= 1
    assert found == widths_left | {"out": 2}


def laid_and_added(*sizes):
    """Convolutions laid behind each other, and one that is added to all of them."""
    image = keras.Input((4, 4, 3))
    parts = [
        layers.Conv2D(size, 1, name=name)(image) for size, name in zip(sizes, "ab", strict=True)
    ]
    c = layers.Conv2D(sum(sizes), 1, name="c")(image)
    x = layers.Add()([layers.Concatenate()(parts), c])
    return keras.Model(image, layers.GlobalAveragePooling2D()(layers.Conv2D(2, 1, name="out")(x)))


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("seed", range(4))
def test_a_multiple_holds_in_every_layer_of_a_group(seed, scope):
    model = laid_and_added(16, 16)
    pruned = prune(
        model, ratio=0.5, criterion="random", seed=seed, scope=scope, limits=Limits(multiple=8)
    )
    assert [pruned.model.get_layer(name).filters for name in "abc"] == [8, 8, 16]
    assert "multiple" not in str(pruned.report)


def test_where_a_multiple_cannot_hold_the_report_says_so():
    pruned = prune(laid_and_added(2, 14), ratio=0.5, limits=Limits(multiple=8))
    assert [pruned.model.get_layer(name).filters for name in "abc"] == [2, 8, 10]
    assert (
        "  c: 10 is no multiple of 8: it goes with layers that keep another width"
        in str(pruned.report).splitlines()
    )


@pytest.mark.parametrize("name", ["norm", "depth", "slopes"])
def test_a_layer_kept_whole_keeps_the_channels_that_its_weights_are_for(name):
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(6, 1, name="a")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.DepthwiseConv2D(3, name="depth")(x)
    x = layers.PReLU(shared_axes=[1, 2], name="slopes")(x)
    model = keras.Model(image, layers.Conv2D(2, 1, name="out")(layers.Conv2D(8, 1, name="b")(x)))
    assert left(planner(model, limits=Limits(keep=[name])), 0.5) == {"a": 6, "b": 4, "out": 2}
    assert left(planner(model, limits=Limits(only=[name])), 0.5) == {"a": 3, "b": 8, "out": 2}


def output_alone(_):
    inputs = keras.Input((4,))
    return prune(keras.Model(inputs, layers.Dense(3)(inputs)), ratio=0.5)


REASONS = {
    "all channels reach an input, an output or a barrier": output_alone,
    "the limits keep all channels that could go": lambda model: prune(
        model, ratio=0.5, limits=Limits(keep=["*"])
    ),
    "floors and the multiple leave no layer a channel to lose": lambda model: prune(
        model, ratio=0.5, limits=Limits(multiple=64)
    ),
    "the model meets the budget as it is": lambda model: prune(
        model, budget=Budget("parameters", 1e6)
    ),
    "widths rounded to a multiple of 4 are those of before": lambda model: prune(
        model, ratio=0.1, limits=Limits(multiple=4, only=["a"])
    ),
    "as much is gone already, counted from the original widths": lambda model: prune(
        model, ratio=0.1, original={"a": 80, "c": 60, "d": 100}
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_the_report_says_why_nothing_shrank(reason, small):
    pruned = REASONS[reason](small())
    assert pruned.log["removed"] == {}
    assert str(pruned.report).splitlines()[-1] == f"  nothing shrank: {reason}"


def test_a_report_of_what_shrank_gives_no_reason_why_not(small):
    assert "nothing" not in str(prune(small(), ratio=0.5).report)


def test_channels_that_a_depthwise_layer_makes_of_the_image_are_named():
    image = keras.Input((6, 6, 3))
    made = {
        "dw": layers.DepthwiseConv2D(3, depth_multiplier=8, name="dw")(image),
        "grouped": layers.Conv2D(6, 3, groups=3, name="grouped")(image),
    }
    for name, x in made.items():
        model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
        text = str(prune(model, ratio=0.5).report)
        assert (
            f"barrier at {name} (makes its channels of ones that stay): its own channels stay"
            in text
        )


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99), st.sampled_from(["local", "global"]))
def test_a_larger_ratio_takes_no_less(plan_model, first, second, scope):
    graph, scores = plan_model
    plan_of = Planner(graph, scores, scope=scope)
    low, high = sorted((first, second))
    assert (plan_of.plan(high) <= plan_of.plan(low)).all()


@pytest.fixture(scope="module")
def plan_model():
    image = keras.Input((6, 6, 3))
    x = layers.Conv2D(7, 3, name="a")(image)
    x = layers.Conv2D(5, 3, name="b")(x)
    model = keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))
    graph = trace(model)
    return graph, np.random.default_rng(0).random(graph.num_coupled)


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize(("kind", "limit"), [("parameters", 900), ("multiply_accumulates", 9000)])
def test_a_budget_is_met_and_not_by_far(small, scope, kind, limit):
    model = small()
    pruned = prune(model, budget=Budget(kind, limit), scope=scope, criterion="l2")
    cost = {
        "parameters": pruned.model.count_params(),
        "multiply_accumulates": multiply_accumulates(pruned.model),
    }[kind]
    assert 0.6 * limit < cost <= limit


def test_a_budget_in_bytes_is_that_of_the_file(small):
    model = small()
    limit = (saved_bytes(model) + saved_bytes(prune(model, ratio=0.8).model)) / 2
    pruned = prune(model, budget=Budget("bytes", limit))
    assert 0.9 * limit < saved_bytes(pruned.model) <= limit


def test_a_budget_in_milliseconds_is_measured_on_what_is_built(small, monkeypatch):
    built = []

    def clock(model):
        built.append(model.count_params())
        return model.count_params() / 1000

    monkeypatch.setattr(budget_module, "latency", clock)
    pruned = prune(small(), budget=Budget("latency_ms", 0.9))
    assert pruned.model.count_params() <= 900
    assert len(built) == 2 + budget_module.COARSE
    assert 0 < latency(small(), repeats=3) < 10_000
    with pytest.raises(ParameterError, match="repeats: received 0"):
        latency(small(), repeats=0)


def keys_of_its_own():
    first, second = keras.Input((4,), name="aa"), keras.Input((3,), name="bb")
    x = layers.Dense(9)(layers.Concatenate()([first, second]))
    with warnings.catch_warnings():  # that a key is not its tensor's name
        warnings.simplefilter("ignore", UserWarning)
        return keras.Model({"z": first, "y": second}, layers.Dense(2)(x))


def one_in_another():
    first = keras.Sequential([layers.Conv2D(8, 3), layers.ReLU()])
    return keras.Sequential([keras.Input((6, 6, 3)), first, layers.Flatten(), layers.Dense(2)])


def lists_in_a_dict():
    first, second = keras.Input((4,), name="u"), keras.Input((3,), name="k", dtype="int32")
    x = layers.Concatenate()(
        [layers.Dense(9)(first), layers.Flatten()(layers.Embedding(5, 2)(second))]
    )
    return keras.Model({"u": [first], "k": second}, layers.Dense(2)(x))


@pytest.mark.parametrize("make", [keys_of_its_own, one_in_another, lists_in_a_dict])
def test_latency_takes_whatever_inputs_a_model_has(make):
    model = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        assert latency(model) > 0
        assert prune(model, budget=Budget("latency_ms", 1e4)).log["removed"] == {}


def test_a_budget_that_is_met_already_takes_nothing(small):
    model = small()
    assert prune(model, budget=Budget("parameters", 1e6)).log["removed"] == {}


def test_a_budget_below_the_floors_is_refused(small):
    model = small()
    least = Costs(graph := trace(model)).parameters(
        Planner(graph, np.zeros(graph.num_coupled)).smallest()
    )
    with pytest.raises(ParameterError, match=f"received 10 parameters, expected at least {least}"):
        prune(model, budget=Budget("parameters", 10))
    prune(model, budget=Budget("parameters", least))


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_a_file_is_never_larger_than_its_budget(share):
    inputs = keras.Input((8,))
    x = inputs
    for _ in range(12):
        x = layers.Dense(120)(x)
    model = keras.Model(inputs, x)
    limit = saved_bytes(model) * share
    pruned = prune(model, budget=Budget("bytes", limit), scope="global")
    assert 0.98 * limit < saved_bytes(pruned.model) <= limit


def test_work_along_channels_that_went_is_not_counted():
    inputs = keras.Input((4, 6))
    x = layers.Permute((2, 1))(layers.Conv1D(8, 1)(inputs))
    x = layers.Permute((2, 1))(layers.Dense(5)(x))
    pruned = prune(keras.Model(inputs, layers.Conv1D(2, 1)(x)), ratio=0.5)
    assert pruned.report.multiply_accumulates[1] == multiply_accumulates(pruned.model)


@pytest.mark.parametrize("ratio", [0, 1, -0.1, 1.5, float("nan"), True, "0.5"])
def test_a_ratio_outside_is_refused(small, ratio):
    with pytest.raises(ParameterError, match="ratio: received"):
        prune(small(), ratio=ratio)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (prune, "expected one of the two"),
        (lambda m: prune(m, ratio=0.5, budget=Budget("parameters", 9)), "expected one of the two"),
        (lambda m: prune(m, ratio=0.5, scope="both"), "scope: received 'both'"),
        (lambda m: prune(m, ratio=0.5, limits=Limits(keep=["conv9"])), "'conv9'.*expected some of"),
        (lambda m: prune(m, ratio=0.5, limits=Limits(floors={"a": 0})), "floors: received 0"),
        (lambda m: prune(m, ratio=0.5, limits=Limits(multiple=0)), "multiple: received 0"),
        (lambda m: prune(m, ratio=0.5, limits=Limits(multiple=2.5)), "multiple: received 2.5"),
        (lambda m: prune(m, ratio=0.5, limits=Limits(keep="a")), "keep: received 'a'"),
        (lambda m: Budget("seconds", 3), "budget: received 'seconds'"),
        (lambda m: Budget("bytes", float("nan")), "positive number"),
        (
            lambda m: Budget("parameters", "9"),
            "received '9' parameters, expected a positive number",
        ),
        (lambda m: Budget("parameters", None), "received None parameters"),
        (lambda m: prune(m, budget={"parameters": 900}), "received {'parameters': 900}.*a Budget"),
        (lambda m: prune(m, ratio=0.5, limits={"keep": ["a"]}), "received {'keep'.*a Limits"),
    ],
)
def test_contradictions_and_unknown_names_are_refused(small, make, words):
    with pytest.raises(ParameterError, match=words):
        make(small())


def test_the_report_speaks(small):
    text = str(prune(small(), ratio=0.5).report)
    assert text.splitlines()[0] == "parameters: 1,861 to 545 (29.3%)"
    assert "  c: 6 to 3" in text


def test_the_report_names_walls():
    image = keras.Input((4, 4, 3))
    x = layers.Conv2D(6, 1, name="a")(image)
    x = layers.LayerNormalization(name="norm")(x)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    text = str(prune(model, ratio=0.5).report)
    assert "barrier at norm (LayerNormalization sums over the channels): 6 channels stay" in text


def test_plans_and_models_agree(small):
    graph = trace(small())
    plan_of = Planner(graph, np.random.default_rng(1).random(graph.num_coupled), scope="global")
    for ratio in (0.2, 0.5, 0.8):
        keep = plan_of.plan(ratio)
        assert Costs(graph).parameters(keep) == remove(graph, keep).count_params()


def test_latency_of_an_open_size_is_refused():
    image = keras.Input((None, None, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(image))
    model = keras.Model(image, layers.Dense(2)(x))
    with pytest.raises(ParameterError, match=r"undefined size \(None, None, 3\)"):
        prune(model, budget=Budget("latency_ms", 5))
