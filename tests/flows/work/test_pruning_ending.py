"""What a pruning says of which no network is accepted."""

import pytest

from slimderm.components.pruning.settings import PruneSettings
from slimderm.flows.work.pruning import ending

RULE = PruneSettings(acceptance="paper")


def record(accepted, stopped=""):
    reason = "every threshold met" if accepted else "missed: test_accuracy 0.6972 < 0.7022"
    return {"verdict": {"accepted": accepted, "reason": reason}, "stopped": stopped}


def test_an_accepted_pruned_network_needs_no_word():
    assert ending("lenet5", [record(False), record(True, "all done")], RULE) == ""


@pytest.mark.parametrize(
    ("records", "words"),
    [
        (
            [record(False, "the unpruned network is refused")],
            [
                "lenet5 ends with nothing. The unpruned network is refused by the rule paper: "
                "missed: test_accuracy 0.6972 < 0.7022. No pruned network was tried",
                "What to do: set prune.refused_start: prune",
            ],
        ),
        (
            [record(False), record(False), record(False, "2 refusals in a row")],
            ["None of the 2 pruned networks is accepted; the end: 2 refusals in a row. What to do"],
        ),
        (
            [record(True), record(False, "1 prunings, the most that were asked for")],
            ["lenet5 ends with nothing but the unpruned network. The one pruned network is not"],
        ),
    ],
)
def test_an_end_with_nothing_says_who_refused_what_and_what_to_do(records, words):
    said = ending("lenet5", records, RULE)
    for word in words:
        assert word in said
    assert ("refused_start" in said) == (len(records) == 1)
