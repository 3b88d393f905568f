"""What ``benchmarks/pruning_accuracy.py`` says of its networks: values, differences, verdicts."""

import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import numpy.typing as npt

from slimderm.components.evaluation.comparison import Comparison
from slimderm.components.evaluation.metrics import decision_metrics
from slimderm.components.evaluation.noninferiority import MARGINS, PairedComparison

UNPRUNED, CONTROL = "as trained", "trained on"
METRIC = "balanced_accuracy"
MARGIN, SAMPLES = MARGINS[METRIC], 2000

Row = dict[str, Any]


class Entry(NamedTuple):
    """One network of every seed: whose, how pruned, to which share; answers (S, N, C) and costs."""

    side: str
    way: str
    share: float
    answers: npt.NDArray[np.float64]
    parameters: float
    multiply_accumulates: float
    ms: float


class Judge:
    """Judges answers to the test part; intervals resample lesions and seeds."""

    def __init__(self, labels: npt.NDArray[np.int64], lesions: npt.NDArray[np.str_]) -> None:
        number = int(labels.max()) + 1
        self.alone = Comparison(labels, lesions, num_samples=SAMPLES)
        self.paired = PairedComparison(labels, lesions, num_classes=number, num_samples=SAMPLES)

    def value(self, answers: npt.NDArray[np.float64]) -> list[float]:
        """Return balanced accuracy with its interval."""
        by_seed = self.alone.by_seed(answers, decision_metrics)[METRIC]
        return list(self.alone.interval(self.alone.pooled(by_seed)))

    def difference(self, one: Entry, other: Entry) -> Row:
        """Return the paired difference of two entries with its interval, and the verdict."""
        found = self.paired.differences(one.answers, other.answers, (METRIC,))[METRIC]
        less = found.challenger - found.reference
        return {"difference": [less, found.low, found.high], "verdict": str(found.word(MARGIN))}

    def rows(self, entries: Sequence[Entry]) -> list[Row]:
        """Return a row for each entry; all but the control are compared with it."""
        control = next(each for each in entries if each.way == CONTROL)
        rows = []
        for each in entries:
            row = {name: value for name, value in each._asdict().items() if name != "answers"}
            row[METRIC] = self.value(each.answers)
            rows.append(row if each is control else row | self.difference(each, control))
        return rows

    def ours_minus_theirs(self, entries: Sequence[Entry], sides: tuple[str, str]) -> list[Row]:
        """Compare the first way of each side, share by share; ours is the challenger."""
        first, second = ([each for each in entries if each.side == side] for side in sides)
        pairs = []
        for one in (each for each in first if each.way == first[0].way):
            other = next(
                each for each in second if (each.way, each.share) == (second[0].way, one.share)
            )
            named = {"ours": one.way, "theirs": other.way, "share": one.share}
            faster = {"latency_ratio": one.ms / other.ms}
            pairs.append(named | faster | self.difference(one, other))
        return pairs


def show(rows: Sequence[Row], pairs: Sequence[Row]) -> None:
    """Print both tables, as pages have them."""
    print("| side | way | budget | parameters | M mult.-acc. | ms | balanced accuracy |", end="")
    print(" less the control | verdict |")
    print("| --- | --- | ---: | ---: | ---: | ---: | --- | --- | --- |")
    for row in rows:
        cells = [
            row["side"],
            row["way"],
            str(Fraction(row["share"])),
            f"{row['parameters']:,.0f}",
            f"{row['multiply_accumulates'] / 1e6:.2f}",
            f"{row['ms']:.3f}",
            "{:.3f} ({:.3f} to {:.3f})".format(*row[METRIC]),
            points(row),
            row.get("verdict", ""),
        ]
        print("| " + " | ".join(cells) + " |")
    print("\n| budget | ours | theirs | latency, ours over theirs | ours less theirs | verdict |")
    print("| ---: | --- | --- | ---: | --- | --- |")
    for pair in pairs:
        cells = [pair["ours"], pair["theirs"], f"{pair['latency_ratio']:.2f}", points(pair)]
        print("| " + " | ".join([str(Fraction(pair["share"])), *cells, pair["verdict"]]) + " |")


def points(row: Row) -> str:
    """Write a difference with its interval in percentage points."""
    if "difference" not in row:
        return ""
    return "{:+.1f} ({:+.1f} to {:+.1f})".format(*(100 * each for each in row["difference"]))
