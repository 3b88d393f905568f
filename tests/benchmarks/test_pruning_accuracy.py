"""The parts of ``benchmarks/pruning_accuracy.py`` that need no PyTorch."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import pruning_accuracy_network as network
from benchmarks.pruning_accuracy_data import divided
from benchmarks.pruning_accuracy_keras import carried, check_alike, pruned, weights_of
from benchmarks.pruning_accuracy_table import CONTROL, Entry, Judge
from slimderm.components.model_graph.cost import multiply_accumulates

SIZE = (16, 24)


@pytest.fixture(scope="module")
def weights():
    """Random weights, in PyTorch's layout."""
    random = np.random.default_rng(0)
    found = {}
    for each in network.convolutions():
        shape = (each.made, each.read, each.size, each.size)
        found[f"{each.name}.weight"] = random.normal(0, 0.1, shape)
        for part, low in (
            ("weight", 0.5),
            ("bias", -1),
            ("running_mean", -1),
            ("running_var", 0.5),
        ):
            found[f"{each.name}_norm.{part}"] = random.uniform(low, 2, each.made)
    found["last.weight"] = random.normal(0, 0.1, (3, network.STAGES[-1]))
    found["last.bias"] = random.normal(0, 1, 3)
    return {name: value.astype(np.float32) for name, value in found.items()}


def computed(weights, images):
    """Compute the network as PyTorch's documentation defines its layers, in NumPy alone."""

    def normalised(each, x):
        kernel, edge = weights[f"{each.name}.weight"], each.size // 2
        padded = np.pad(x, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (each.size, each.size), (2, 3))
        windows = windows[:, :, :: each.stride, :: each.stride]
        y = np.einsum("nihwkl,oikl->nohw", windows, kernel, optimize=True)
        scale, shift, mean, variance = (
            weights[f"{each.name}_norm.{part}"][:, None, None]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (y - mean) / np.sqrt(variance + 1e-5) * scale + shift

    def halve(x):
        number, channels, height, width = x.shape
        return x.reshape(number, channels, height // 2, 2, width // 2, 2).max((3, 5))

    layers = network.Layers(
        normalised=normalised,
        relu=lambda x: np.maximum(x, 0),
        add=np.add,
        halve=halve,
        classify=lambda x: x.mean((2, 3)) @ weights["last.weight"].T + weights["last.bias"],
    )
    return network.connected(layers, images.transpose(0, 3, 1, 2))


def test_weights_that_are_carried_answer_as_where_they_come_from(weights):
    model = carried(weights, SIZE)
    images = np.random.default_rng(1).uniform(-1, 1, (4, *SIZE, 3)).astype(np.float32)
    answers = model.predict(images, verbose=0)
    assert check_alike("Keras", answers, computed(weights, images)) < 1e-5
    assert model.count_params() == sum(value.size for value in weights.values())


def test_a_pruned_network_is_carried_back(weights):
    model = carried(weights, SIZE)
    budget = multiply_accumulates(model) // 4
    how = {"criterion": "l2", "scope": "isomorphic", "multiple": 8}
    small = pruned(model, budget, evidence=[], **how)
    assert 0.7 * budget < multiply_accumulates(small) <= budget
    less = weights_of(small)
    assert all(len(less[f"{each.name}.weight"]) % 8 == 0 for each in network.convolutions())
    images = np.random.default_rng(1).uniform(-1, 1, (4, *SIZE, 3)).astype(np.float32)
    assert check_alike("back", computed(less, images), small.predict(images, verbose=0)) < 1e-5
    again = weights_of(carried(less, SIZE))
    assert all(np.array_equal(again[name], value) for name, value in less.items())


def test_answers_that_differ_are_refused():
    answers = np.array([[0.0, 1.0]])
    with pytest.raises(SystemExit, match="answers differ by"):
        check_alike("two", answers, np.array([[0.0, 1.001]]))


def test_an_epoch_has_equally_many_of_each_class():
    labels = np.array([0] * 50 + [1] * 3)
    images = np.zeros((53, 4, 4, 3), np.uint8)
    images[:, 0, 0] = np.arange(53)[:, None]
    drawn = list(network.batches(images, labels, number=20, size=10, seed=(0, 1)))
    assert sorted(np.concatenate([each for _, each in drawn])) == [0] * 10 + [1] * 10
    rows = np.rint((np.concatenate([each for each, _ in drawn]).max((1, 2, 3)) + 1) * 127.5)
    assert len(set(rows[rows < 50])) == 10  # of the plentiful class none twice
    assert set(rows[rows >= 50]) == {50, 51, 52}
    again = list(network.batches(images, labels, number=20, size=10, seed=(0, 1)))
    assert all(np.array_equal(one[0], other[0]) for one, other in zip(drawn, again, strict=True))


def test_lesions_stay_on_one_side_and_test_holds_classes_in_proportion():
    random = np.random.default_rng(0)
    names = [
        f"{kind}{lesion}" for kind, count in (("nv", 120), ("mel", 40)) for lesion in range(count)
    ]
    rows = [(f"{name}-{image}", name) for name in names for image in range(2)]
    catalog = pd.DataFrame(rows, columns=["image_id", "lesion_id"])
    catalog["label"] = catalog["lesion_id"].str.rstrip("0123456789")
    catalog["sha256"] = catalog["image_id"]
    catalog["fingerprint"] = [random.bytes(32).hex() for _ in rows]
    catalog.loc[catalog["lesion_id"].isin(["mel1", "nv1"]), "fingerprint"] = "00" * 32
    frame = divided(catalog)
    parts = frame.groupby("lesion_id")["part"].nunique()
    assert (parts == 1).all()
    assert frame[frame["lesion_id"].isin(["mel1", "nv1"])]["part"].nunique() == 1  # one picture
    assert len(frame) == len(catalog)
    counts = frame[frame["part"] == "test"]["label"].value_counts()
    assert counts["nv"] == pytest.approx(72, abs=4)  # 30 % of 240
    assert counts["mel"] == pytest.approx(24, abs=4)


def entry(side, way, right, share=0.5):
    """Answers of two seeds to 400 images of two classes, so many of each 100 right."""
    labels = np.arange(400) % 2
    wrong = (np.arange(400) // 2) % 100 >= right
    answers = np.eye(2)[np.where(wrong, 1 - labels, labels)]
    return Entry(side, way, share, np.stack([answers, answers]), 10.0, 100.0, right / 100)


def test_differences_and_verdicts():
    lesions = np.array([f"lesion {image}" for image in range(400)])
    judge = Judge(np.arange(400) % 2, lesions)
    entries = [
        entry("unpruned", CONTROL, 80, 1.0),
        entry("ours", "best", 80),
        entry("ours", "next", 40),
        entry("theirs", "best", 60),
    ]
    control, best, second, _ = judge.rows(entries)
    assert "verdict" not in control
    assert control["balanced_accuracy"][0] == pytest.approx(0.8)
    assert best["difference"][0] == 0
    assert best["verdict"] == "non-inferior"
    assert second["difference"][0] == pytest.approx(-0.4)
    assert second["verdict"] == "inferior"
    (pair,) = judge.ours_minus_theirs(entries, ("ours", "theirs"))
    assert pair["difference"][0] == pytest.approx(0.2)
    assert pair["latency_ratio"] == pytest.approx(80 / 60)
