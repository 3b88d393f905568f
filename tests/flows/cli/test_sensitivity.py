"""`slimderm sensitivity`: a model file and a function in, a table and a picture out."""

import csv
import json

import keras
import pytest

JUDGE = """
import keras

def width(model):
    return float(sum(abs(keras.ops.convert_to_numpy(w)).sum() for w in model.weights))
"""


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # no clone
    monkeypatch.setenv("MPLBACKEND", "agg")
    network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, name="first")])
    network.add(keras.layers.Dense(2, name="answer"))
    network.save("model.keras")
    (tmp_path / "judge.py").write_text(JUDGE)
    return "model.keras"


def test_a_table_and_a_picture_are_written(model, call, tmp_path):
    code, said, _ = call("sensitivity", model, "judge.py:width", "--ratio", "0.5", "--json")
    assert code == 0
    found = json.loads(said)
    assert found["values"]["first"]["0.5"] < found["unpruned"]
    with (tmp_path / "sensitivity.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["layer"], row["ratio"]) for row in rows] == [("", "0"), ("first", "0.5")]
    assert (tmp_path / "sensitivity.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["model.keras", "nowhere.py:width"], "received 'nowhere.py:width', expected a Python"),
        (["model.keras", "judge.py:depth"], "which has no 'depth'"),
        (["model.keras", "judge.py"], "expected a Python file and a function"),
        (["model.keras", "judge.py:width", "--ratio", "2"], "ratios: received 2.0"),
    ],
)
def test_what_cannot_be_scanned_is_an_error(model, call, arguments, said):
    code, printed, _ = call("sensitivity", *arguments)
    assert code == 1
    assert said in " ".join(printed.split())
