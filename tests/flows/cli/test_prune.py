"""`slimderm prune`: a model file in, a smaller one out, from any folder."""

import json

import keras
import numpy as np
import pytest


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no clone
    monkeypatch.setenv("MPLBACKEND", "agg")
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(8, 3, name="first"),
            keras.layers.Conv2D(6, 3, name="second"),
            keras.layers.Flatten(),
            keras.layers.Dense(2, name="answer"),
        ]
    )
    network.save("model.keras")
    return tmp_path / "model.keras"


def parameters(first, second):
    """Counted by hand: two convolutions of 3×3 without padding, then a dense layer of two."""
    return (27 * first + first) + (9 * first * second + second) + (16 * second * 2 + 2)


def test_half_of_the_channels_go_and_the_file_is_a_keras_model(model, call):
    code, said, _ = call("prune", model, "small.keras", "--ratio", "0.5", "--criterion", "l1")
    assert code == 0
    assert f"parameters: {parameters(8, 6):,} to {parameters(4, 3):,}" in said
    assert "first: 8 to 4" in said
    small = keras.models.load_model("small.keras", compile=False)
    assert small.count_params() == parameters(4, 3)
    whole = keras.models.load_model(model, compile=False)
    # The filters that are left are those with the largest sums of magnitudes.
    sums = np.abs(whole.get_layer("first").kernel.numpy()).sum((0, 1, 2))
    kept = np.sort(np.argsort(sums)[-4:])
    np.testing.assert_array_equal(
        small.get_layer("first").kernel.numpy(), whole.get_layer("first").kernel.numpy()[..., kept]
    )


def test_json_alone_is_on_stdout(model, call):
    code, said, errors = call(
        "prune", model, "small.keras", "--ratio", "0.5", "--keep", "first", "--json"
    )
    found = json.loads(said)
    assert (code, errors) == (0, "")
    assert found["widths"]["first"] == [8, 8]
    assert found["widths"]["second"] == [6, 3]
    assert found["parameters"] == [parameters(8, 6), parameters(8, 3)]
    assert found["output"] == "small.keras"


def test_a_budget_is_met(model, call):
    limit = parameters(6, 6)
    code, said, _ = call("prune", model, "s.keras", "--budget", f"parameters={limit}", "--json")
    assert code == 0
    assert json.loads(said)["parameters"][1] <= limit
    assert keras.models.load_model("s.keras", compile=False).count_params() <= limit


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.keras", "s.keras"], "expected one of the two"),
        (["model.keras", "s.keras", "--ratio", "2"], "above 0 and below 1"),
        (["model.keras", "s.keras", "--budget", "100"], "expected kind=number"),
        (["model.keras", "s.keras", "--budget", "grams=100"], "expected one of parameters"),
        (["model.keras", "s.keras", "--ratio", "0.5", "--criterion", "x"], "expected one of l1"),
        (["model.keras", "s.keras", "--ratio", "0.5", "--keep", "x"], "received 'x'"),
        (["model.keras", "s.h5", "--ratio", "0.5"], "a name ending in .keras"),
        (["nowhere.keras", "s.keras", "--ratio", "0.5"], "expected a file that exists"),
        (["text.keras", "s.keras", "--ratio", "0.5"], "expected a model that Keras saved"),
    ],
)
def test_what_cannot_be_done_is_an_error_of_ours(model, call, arguments, said):
    (model.parent / "text.keras").write_text("no model")
    code, printed, _ = call("prune", *arguments)
    assert code == 1
    assert said in printed
    assert not (model.parent / "s.keras").exists()
    code, printed, errors = call("prune", *arguments, "--json")
    assert (code, printed) == (1, "")
    assert said in errors
