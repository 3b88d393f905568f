"""Files in their own runtime: what is measured, what cannot be run."""

import ast
import resource
import sys

import numpy as np
import pytest

from slimderm.components.common.errors import ExportError, ParameterError
from slimderm.components.export.artefact import export
from slimderm.components.export.judge import PROGRAM, compare, judge
from slimderm.components.export.onnx import ONNX
from slimderm.components.export.table import TARGETS


@pytest.fixture(scope="module")
def artefact(network):
    return export(network, "litert-float32")


def test_latency_and_memory_are_those_of_the_runtime_alone(artefact, inputs):
    judgement = judge(artefact, inputs)
    assert judgement.probabilities.shape == (8, 4)
    assert list(judgement.latency) == [1, 2]
    for latency in judgement.latency.values():
        assert 0 < latency.p50_ms <= latency.p99_ms
        assert 30 <= latency.num_runs <= 300
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # TensorFlow is in here
    assert 10e6 < judgement.peak_bytes < own / 2


@pytest.mark.parametrize(
    "runtime", dict.fromkeys(target.runtime for target in TARGETS.values()), ids=lambda it: it.name
)
def test_the_program_imports_nothing_but_the_runtime_and_numpy(runtime):
    trees = [ast.parse(file.read_text()) for file in (PROGRAM, runtime.program)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    plain = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    beyond_python = {name.split(".")[0] for name in plain | named} - sys.stdlib_module_names
    assert beyond_python == {"numpy", runtime.module}


@pytest.mark.parametrize("cut", [lambda data: b"no model", lambda data: data[:2000]])
def test_a_file_that_does_not_load_is_an_error_with_the_runtimes_words(artefact, inputs, cut):
    with pytest.raises(ExportError, match=r"does not run it \(exit code -?\d+: ") as caught:
        judge(cut(artefact), inputs)
    assert "it said nothing" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_inputs_that_the_file_does_not_have_are_an_error_with_the_runtimes_words(artefact, inputs):
    with pytest.raises(ExportError, match="Invalid number of inputs provided"):
        judge(artefact, {"image": inputs["image"]})


def test_onnx_runtime_says_what_is_wrong_with_a_file(inputs):
    with pytest.raises(ExportError, match=r"onnxruntime, does not run it .*InvalidPro"):
        judge(b"no model", inputs, ONNX)


def test_no_image_is_refused(artefact, inputs):
    with pytest.raises(ParameterError, match="received no row, expected at least one image"):
        judge(artefact, {name: each[:0] for name, each in inputs.items()})


def test_differences_are_those_counted_by_hand():
    ours = np.array([[0.6, 0.4], [0.5, 0.5], [0.1, 0.9], [0.3, 0.7]])
    theirs = np.array([[0.5, 0.5], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])
    found = compare(ours, theirs)
    assert (found.agreement, found.num_images) == (0.75, 4)
    assert found.mean == pytest.approx((0.1 + 0.1 + 0.3 + 0.3) / 8)
    assert found.worst == pytest.approx(0.3)
    with pytest.raises(ParameterError, match=r"of shape \(4, 2\), expected \(3, 2\)"):
        compare(ours, theirs[:3])
