"""Recipes as params.yaml writes them: read into passes, and refused where they cannot be."""

import re

import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.distil import Distil
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.recipe import Step
from slimderm.components.network_compression.settings import SlimSettings
from slimderm.components.network_compression.share import ShareWeights


def recipe(*passes):
    return SlimSettings(network="lenet5", passes=passes)


def test_entries_become_passes_with_their_epochs():
    made = recipe(
        {"pass": "low_rank", "ranks": {"energy": 0.9}, "data_aware": True},
        {"pass": "distil", "alpha": 0.5, "epochs": 2},
        {"pass": "share", "bits": {"dense*": 5, "*": 8}, "epochs": 1},
    )
    teacher = object()
    steps = [made.step(index, lambda: teacher) for index in range(3)]
    assert steps == [
        Step(LowRank(Ranks(energy=0.9), data_aware=True)),
        Step(Distil(teacher, alpha=0.5), 2),
        Step(ShareWeights({"dense*": 5, "*": 8}), 1),
    ]


@pytest.mark.parametrize(
    ("passes", "said"),
    [
        ([], "passes: received [], expected a list of at least 1"),
        ([{"bits": 4}], "passes: 1: pass: received '', expected one of train, prune, low_rank"),
        (
            [{"pass": "huffman"}],
            "passes: 1: pass: received 'huffman', expected one of train",
        ),
        ([{"pass": "share"}, {"pass": "share", "bits": 33}], "passes: 2: bits: received 33"),
        ([{"pass": "share", "bits": "4"}], "passes: 1: bits.int: received '4'"),
        ([{"pass": "share", "bitz": 4}], "bitz: received a setting that there is not, expected"),
        ([{"pass": "low_rank"}], "passes: 1: ranks: received {}: field required"),
        ([{"pass": "low_rank", "ranks": {"rank": 0}}], "rank: received 0, expected a whole"),
        ([{"pass": "low_rank", "ranks": {"energy": 1.1}}], "energy: received 1.1"),
        ([{"pass": "share", "epochs": -1}], "passes: 1: epochs: received -1"),
        ([{"pass": "share", "epochs": True}], "passes: 1: epochs: received True"),
        ([{"pass": "distil", "teacher": "me"}], "teacher: received one, expected none"),
        ([{"pass": "share"}, {"pass": "prune", "ratio": 0.5}], "received Prune after ShareWeights"),
    ],
)
def test_what_cannot_be_is_said(passes, said):
    with pytest.raises(ParameterError, match=re.escape(said)):
        recipe(*passes).check()
