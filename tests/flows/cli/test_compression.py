"""`slimderm pack`, `unpack` and `inspect`: a model file to a small one and back, anywhere."""

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
        [keras.Input((40,)), keras.layers.Dense(20, name="binary"), keras.layers.Dense(2)],
        name="small",
    )
    signs = np.where(np.random.default_rng(0).random((40, 20)) < 0.5, -0.5, 0.5)
    network.layers[0].kernel.assign(signs)
    network.save("model.keras")
    return network


def test_there_and_back(model, call, tmp_path):
    code, said, _ = call("pack", "model.keras", "small.slim")
    assert code == 0
    assert "saved: small.slim" in said
    size = (tmp_path / "small.slim").stat().st_size
    assert f"small: 862 parameters in {size:,} bytes" in said
    assert "the 3,448 bytes of the weights as they are" in said
    code, said, _ = call("unpack", "small.slim", "again.keras")
    assert (code, said) == (0, "saved: again.keras\n")
    again = keras.models.load_model("again.keras")
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_inspect_shows_each_weight(model, call):
    call("pack", "model.keras", "small.slim")
    code, said, _ = call("inspect", "small.slim")
    assert code == 0
    row = next(line.split() for line in said.splitlines() if "binary/kernel" in line)
    assert row[:4] == ["binary/kernel", "40×20", "float32", "shared"]
    assert 100 <= int(row[4]) <= 110  # a bit for each of 800 signs, and the two values
    assert row[5] == f"{8 * int(row[4]) / 800:.2f}"


def test_json_alone_is_on_stdout(model, call, tmp_path):
    code, said, errors = call("pack", "model.keras", "small.slim", "--json")
    assert (code, errors) == (0, "")
    packed = json.loads(said)
    assert packed.pop("output") == "small.slim"
    assert packed["total_bytes"] == (tmp_path / "small.slim").stat().st_size
    assert packed["parameters"] == 862
    assert packed["raw_bytes"] == 4 * 862
    assert [weight["shape"] for weight in packed["weights"]] == [[40, 20], [20], [20, 2], [2]]
    code, said, errors = call("inspect", "small.slim", "--json")
    assert (code, errors) == (0, "")
    assert json.loads(said) == packed
    code, said, errors = call("unpack", "small.slim", "again.keras", "--json")
    assert (code, errors) == (0, "")
    assert json.loads(said) == {"output": "again.keras", "parameters": 862}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pack", "model.keras", "s.keras"], "a name ending in .slim"),
        (["pack", "nowhere.keras", "s.slim"], "expected a file that exists"),
        (["pack", "text.slim", "s.slim"], "expected a model that Keras saved"),
        (["unpack", "small.slim", "s.slim"], "a name ending in .keras"),
        (["unpack", "nowhere.slim", "s.keras"], "expected a file that exists"),
        (["unpack", "text.slim", "s.keras"], "SlimFileError: file: received one that starts"),
        (["unpack", "small.slim", "s.keras", "--max-parameters", "861"], "raise max_parameters"),
        (["inspect", "nowhere.slim"], "expected a file that exists"),
        (["inspect", "text.slim"], "SlimFileError: file: received one that starts"),
    ],
)
def test_what_cannot_be_done_is_an_error_of_ours(model, call, tmp_path, arguments, said):
    (tmp_path / "text.slim").write_text("no model")
    assert call("pack", "model.keras", "small.slim")[0] == 0
    code, printed, _ = call(*arguments)
    assert code == 1
    assert said in printed
    assert not list(tmp_path.glob("s.*"))
    code, printed, errors = call(*arguments, "--json")
    assert (code, printed) == (1, "")
    assert said in errors


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.timeout(300)
def test_the_commands_of_the_page_run_as_they_stand(make_workspace, model, tmp_path):
    workspace = make_workspace()
    (tmp_path / "model.keras").rename(workspace.folder / "model.keras")
    packed, inspected, unpacked = workspace.follow("slim-file.md")
    assert "saved: small.slim" in packed
    assert "binary/kernel" in inspected
    assert "saved: model.keras" in unpacked
