"""The page beside a file: its Python runs where nothing of ours is, and gives Keras's answer."""

import re
import subprocess
import sys

import numpy as np
import pytest

from slimderm.components.export.artefact import export
from slimderm.components.export.readme import readme
from slimderm.components.export.table import TARGETS

ABSENT = """
import sys
sys.modules |= dict.fromkeys(["slimderm", "keras", "tensorflow"])  # to import one is an error
"""


def ledger(model, **changed):
    inputs = {each.name: [1, *each.shape[1:]] for each in model.inputs}
    measured = {"p50_ms": 0.25, "p99_ms": 0.5, "num_runs": 300}
    return {
        "artefact": "model.tflite",
        "target": "litert-float32",
        "runtime": "litert",
        "summary": "LiteRT",
        "bytes": 12345,
        "model": {"name": "small.keras"},
        "temperature": None,
        "inputs": inputs,
        "white": 255.0,
        "num_classes": 4,
        "classes": None,
        "encoder": None,
        "preparation": None,
        "licence": "Ours.",
        "machine": "Linux",
        "peak_memory_bytes": 50_000_000,
        "latency": {"1": measured, "2": measured},
        "accuracy": None,
        "warning": None,
        "calibration": None,
        "compared": {
            "images": "noise",
            "agreement": 0.995,
            "mean": 1e-5,
            "worst": 0.01234,
            "num_images": 200,
        },
    } | changed


def blocks(page):
    return dict(re.findall(r"```(\w+)\n(.*?)```", page, flags=re.S))


ONNX = {"artefact": "model.onnx", "target": "onnx-float32", "runtime": "onnx"}
PLAIN = {"age": [1, 1], "sex": [1, 1], "localization": [1, 1]}
PERSON = [[(45 - 51.25) / 17.5, 2 / 2, 3 / 3]]  # male, lower extremity: the last of each list


def told(case, model, encoder):
    """A ledger, and the metadata by which Keras answers as the example asks."""
    changed = {"encoder": encoder.to_dict(), "classes": ["a", "b", "c", "d"], "temperature": 1.5}
    image = {"image": [1, *model.inputs[0].shape[1:]]}
    return {
        "image alone": (ledger(model), None),
        "metadata of its own": (ledger(model), [[0.0, 0.0, 0.0]]),
        "a person": (ledger(model, **changed, inputs=image | PLAIN), PERSON),
        "a person, encoded": (ledger(model, **changed), PERSON),
        "a person, by ONNX": (ledger(model, **changed, inputs=image | PLAIN, **ONNX), PERSON),
        "an image alone, by ONNX": (ledger(model, **ONNX), None),
    }[case]


CASES = [
    *("image alone", "metadata of its own", "a person", "a person, encoded"),
    *("a person, by ONNX", "an image alone, by ONNX"),
]


@pytest.mark.parametrize("case", CASES)
def test_its_python_gives_keras_answer_where_nothing_of_ours_is(make, tmp_path, encoder, case):
    model = make(metadata="image alone" not in case)
    kept, metadata = told(case, model, encoder)
    temperature = kept["temperature"] or 1.0
    plain = encoder.to_dict() if "age" in kept["inputs"] else None
    artefact = export(model, kept["target"], temperature=temperature, encoder=plain)
    (tmp_path / kept["artefact"]).write_bytes(artefact)
    code = blocks(readme(kept))["python"]
    assert len([line for line in code.splitlines() if line]) <= 10
    command = [sys.executable, "-I", "-W", "ignore", "-c", ABSENT + code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    image = np.full((1, 12, 10, 3), 127.5, np.float32)
    given = {"image": image} | ({"metadata": np.float32(metadata)} if metadata else {})
    powers = model.predict(given, verbose=0) ** (1 / temperature)
    wanted = (powers / powers.sum())[0]
    found = np.array(done.stdout.strip(" []\n").split(), float)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def test_it_says_what_a_person_is_and_what_was_measured(network, encoder):
    kept, _ = told("a person", network, encoder)
    page = readme(kept | {"preparation": "Images are resized."})
    for said in (
        "| `age` | 1 × 1 | years; unknown is 50.0 |",
        "| `sex` | 1 × 1 | its place among unknown, female, male, counted from 0 |",
        "the site's place among unknown, back, face, lower extremity, counted from 0 |",
        "a, b, c, d; they sum to 1",
        "divided by the temperature 1.5",
        "Images are resized.",
        "12,345 bytes",
        "the same class for 99.5% of",
        "0.012 at most",
        "50 MB",
        "**Not a medical device.**",
    ):
        assert said in page
    assert set(blocks(page)) == {"python", "kotlin", "javascript"}
    assert "metadata" not in page
    assert "45 years, male, lower extremity" in page
    for code in blocks(page).values():
        assert "person" in code or "localization: new Tensor" in code
        assert len([line for line in code.splitlines() if line]) <= 14


def test_it_says_how_an_encoded_person_is_encoded(network, encoder):
    page = readme(told("a person, encoded", network, encoder)[0])
    for said in (
        "(age − 51.25) / 17.5; unknown is 50.0 years",
        "its place among unknown, female, male, counted from 0, divided by 2",
        "its place among unknown, back, face, lower extremity, counted from 0, divided by 3",
    ):
        assert said in page
    assert all("metadata" in code for code in blocks(page).values())


def test_it_says_how_accurate_the_file_is_and_what_speaks_against_it(network):
    metric = {"file": 0.75, "keras": 0.8125, "low": -0.125, "high": 0.0, "margin": 0.05}
    undefined = metric | {"low": None, "high": None}
    accuracy = {
        "metrics": {
            "balanced_accuracy": metric | {"verdict": "inconclusive"},
            "melanoma_sensitivity": undefined | {"verdict": "inconclusive"},
        },
        "confidence": 0.95,
        "num_images": 40,
        "num_lesions": 31,
    }
    calibration = {"num_images": 200, "images": "images of training"}
    changed = {"accuracy": accuracy, "warning": "too few images", "calibration": calibration}
    page = readme(ledger(network, **changed))
    for said in (
        "on 40 images of 31 lesions; intervals of 95 %",
        "| balanced accuracy | 0.750 | 0.812 | -0.062 (-0.125 to +0.000) | 0.05 | inconclusive |",
        "| melanoma sensitivity | 0.750 | 0.812 | -0.062 | 0.05 | inconclusive |",
        "**Warning:** too few images.",
        "measured on 200 images of training.",
    ):
        assert said in page
    assert "Accuracy was not measured" in readme(ledger(network))


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_has_a_page(network, encoder, target):
    runtime = TARGETS[target].runtime.name
    kept = told("a person", network, encoder)[0] | {"target": target, "runtime": runtime}
    page = readme(kept)
    assert f"as {target}" in page
    assert "python" in blocks(page)
    assert not re.search(r"\n\n\n", page)


def test_of_a_network_without_a_person_no_person_is_spoken(make):
    page = readme(ledger(make(metadata=False), white=1.0))
    assert "metadata" not in page
    assert "sex" not in page
    assert "RGB, 0 to 1;" in page
    assert "not calibrated" in page
    assert not re.search(r"\n\n\n", page)


def test_an_encoder_of_one_word_divides_by_one(network, encoder):
    kept, _ = told("a person, encoded", network, encoder)
    page = readme(kept | {"encoder": kept["encoder"] | {"sexes": ["unknown"]}})
    assert "its place among unknown, counted from 0, divided by 1" in page
    assert "0 / 1, 3 / 3]]" in blocks(page)["python"]
