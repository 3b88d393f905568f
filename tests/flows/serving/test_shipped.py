"""The service runs the file that a review has shipped, and no TensorFlow with it."""

import subprocess
import sys

import pandas as pd
import pytest

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import RecordError
from slimderm.components.monitoring.inputs import unpack
from slimderm.flows.serving.service.champion import Champion
from slimderm.flows.serving.shipped import ShippedClassifier
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.shipped_version import fetch, keep
from slimderm.flows.work.shipping import Shipping
from tests.flows.serving.example import DESCRIPTION, PEOPLE, TEMPERATURE

PROGRAM = """
import sys
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.service.champion import Champion

now = Champion(lambda: Registry(Tracker(RecordSettings(tracking_uri=sys.argv[1])))).now
slow = [name for name in ("tensorflow", "keras", "torch", "jax") if name in sys.modules]
print(now.classifier.file, slow)
"""


def test_the_file_answers_as_the_network_does(shipped):
    registry, model, _ = shipped
    served = Champion(lambda: registry).now
    wanted = Classifier(model, DESCRIPTION, TEMPERATURE).classify(PEOPLE)
    found = served.classifier.classify(PEOPLE)
    assert list(found["predicted"]) == list(wanted["predicted"])
    assert found["calibrated"].all()
    for name in DESCRIPTION["classes"]:
        assert found[name].to_numpy() == pytest.approx(wanted[name].to_numpy(), abs=1e-5)
    assert found[DESCRIPTION["classes"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-12)
    assert found["melanoma"].nunique() == 3  # of one picture: people make the difference
    assert served.classifier.file.startswith("litert-float32, ")
    assert served.described["calibrated"] is True


def test_keras_answers_where_that_is_asked_for(shipped):
    registry, _, _ = shipped
    served = Champion(lambda: registry, by_keras=True).now
    assert served.classifier.file == "Keras model"
    assert type(served.classifier) is Classifier


def test_the_file_answers_where_the_embedding_is_told_too(shipped):
    registry, _, _ = shipped
    found = Champion(lambda: registry, embedding=True).now.classifier
    answers = found.classify(PEOPLE)
    assert isinstance(found, ShippedClassifier)
    pd.testing.assert_frame_equal(
        answers.drop(columns="embedding"),
        Champion(lambda: registry).now.classifier.classify(PEOPLE),
    )
    assert {unpack(text).ndim for text in answers["embedding"]} == {1}


def test_another_file_of_the_same_version_is_noticed(shipped):
    registry, model, _ = shipped
    champion, version = Champion(lambda: registry), registry.version("1")
    before, first = champion.now, fetch(registry, version)
    assert not champion.look()
    shipping = Shipping(Network(model, "a test", 255.0, TEMPERATURE, DESCRIPTION))
    made = shipping.judge("onnx-float32", shipping.convert("onnx-float32"))
    keep(registry, version, made, "another")
    assert champion.look()
    assert champion.now.classifier.file.startswith("onnx-float32, ")
    asked = [
        each.classifier.classify(PEOPLE)["melanoma"].to_numpy() for each in (champion.now, before)
    ]
    assert asked[0] == pytest.approx(asked[1], abs=1e-5)
    keep(registry, version, first, "the first one again")


def test_the_service_starts_without_a_deep_learning_library(shipped):
    *_, address = shipped
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, address]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    file, _, imported = done.stdout.rpartition(" bytes ")
    assert file.startswith("litert-float32, ")
    assert imported.strip() == "[]"
    assert done.stderr == ""  # nor what LiteRT says of itself


def test_a_file_that_is_not_the_one_that_was_judged_is_refused(shipped):
    registry, *_ = shipped
    version = registry.version("1")
    digest = version.tags["edge.sha256"]
    registry.tag(version, {"edge.sha256": "0" * 64})
    with pytest.raises(RecordError, match="`make review` makes it anew"):
        Champion(lambda: registry)
    registry.tag(version, {"edge.sha256": digest})


def test_a_runtime_that_is_not_here_leaves_the_keras_model(shipped, monkeypatch):
    registry, *_ = shipped
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    assert Champion(lambda: registry).now.classifier.file == "Keras model"
