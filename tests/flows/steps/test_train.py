"""What the step train says before it trains."""

import pytest

from slimderm.flows.steps import train


class EnoughError(Exception):
    pass


def stop(*_):
    raise EnoughError


def test_what_is_set_and_has_no_effect_is_said_before_anything_is_trained(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "unpruned_trainers", stop)
    settings = "checkpoint: best, checkpoint_accuracy: 0.5, average_epochs: 3"
    (tmp_path / "params.yaml").write_text(f"train: {{{settings}}}\n")
    with pytest.raises(EnoughError):
        train.train.fn("lenet5")
    assert capsys.readouterr().out.splitlines() == [
        "train: train.average_epochs has no effect with checkpoint best",
        "train: train.checkpoint_accuracy has no effect with checkpoint best",
    ]
