"""A network is added by one line of the table: the trainer builds, trains and measures it."""

from types import SimpleNamespace

import numpy as np
import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.training import networks
from slimderm.components.training.batches import Examples
from slimderm.components.training.networks.network import ConvolutionStage, Network
from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.config.params import EvaluateSettings, Params, RecordSettings
from slimderm.flows.work.training import Trainer

TINY = Network(name="tiny", stages=(ConvolutionStage(2, 3),), dense=(4, 3), tail=(), head=2)


def examples(count, seed):
    random = np.random.default_rng(seed)
    return Examples(
        random.integers(0, 256, (count, 8, 8, 3)).astype(np.uint8),
        random.random((count, 3)).astype(np.float32),
        np.arange(count) % 2,
        np.array([f"lesion {seed} {index}" for index in range(count)]),
    )


@pytest.fixture
def trainer(tmp_path):
    parts = ("train", "validation", "test")
    source = SimpleNamespace(
        name="original",
        size=(8, 8, 3),
        classes=["nevus", "melanoma"],
        content={"dataset": "random"},
        examples={part: examples(8, seed) for seed, part in enumerate(parts)},
        description={},
    )
    params = Params(
        train=TrainingSettings(epochs=1, batch_size=4),
        evaluate=EvaluateSettings(bootstrap_samples=100, latency_repeats=3),
        record=RecordSettings(cache=str(tmp_path)),
    )
    return Trainer(params, "tiny", source)


@pytest.mark.slow
def test_a_network_of_one_line_is_trained(trainer, monkeypatch):
    monkeypatch.setitem(networks.NETWORKS, "tiny", TINY)
    record = trainer.tested(trainer.fit("tiny")).full_record
    assert record["widths"]["convolutions"] == [2]
    convolution, normalised = (9 * 3 * 2 + 2), 4 * 2
    dense = (4 * 4 * 2 * 4 + 4) + (4 * 3 + 3) + 4 * 3
    metadata = (3 * 4 + 4) + (4 * 6 + 6) + (6 * 2 + 2) + (2 * 1 + 1) + 4 * (4 + 6 + 2 + 1)
    head = (4 * 2 + 2) + (2 * 2 + 2)
    assert record["num_parameters"] == convolution + normalised + dense + metadata + head
    assert 0 <= record["metrics"]["test_balanced_accuracy"] <= 1


def test_without_its_line_it_is_refused(trainer):
    with pytest.raises(ParameterError, match="received 'tiny', expected one of"):
        trainer.fit("tiny")
