"""What a report opens with: from what to what, how sure, on how much data.

Everything here is text or a share that is ready to be shown; `slimderm.components.reporting.page`
lays it out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Change:
    """One quantity before and after.

    Attributes
    ----------
    name, before, after, note : str
        As people read them.
    bars : tuple of float, optional
        Before and after as shares of the larger, in [0, 1]; None where a bar would say nothing.
    """

    name: str
    before: str
    after: str
    note: str = ""
    bars: tuple[float, float] | None = None


@dataclass(frozen=True)
class Factor:
    """What one cause contributes to a ratio that is a product; ``share`` of its logarithm."""

    name: str
    factor: str
    share: float


@dataclass(frozen=True)
class Block:
    """Changes of one thing under a heading, and what is to be said of them."""

    title: str
    subject: str = ""
    changes: Sequence[Change] = ()
    causes: Sequence[Factor] = ()
    sentences: Sequence[str] = ()

    @property
    def changes_table(self) -> pd.DataFrame:
        """The changes, a row each."""
        columns = ["", "from", "to", "that is"]
        rows = [(each.name, each.before, each.after, each.note) for each in self.changes]
        return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Estimate:
    """A metric of one network with its interval, shares in [0, 1]; NaN where there is none."""

    who: str
    value: float
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether resampling gave one."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def interval(self) -> str:
        """The interval as people read it."""
        return f"({self.low:.3f} to {self.high:.3f})" if self.has_interval else "(no interval)"


@dataclass(frozen=True)
class Kept:
    """A metric of the networks before and after.

    Attributes
    ----------
    name : str
        The metric.
    estimates : sequence of Estimate
        In the order in which networks were made.
    stands_on : str
        The images and lesions behind it.
    caution : str
        What they are too few for; empty where they are enough.
    """

    name: str
    estimates: Sequence[Estimate]
    stands_on: str
    caution: str = ""


@dataclass(frozen=True)
class Verdict:
    """Whether a network was accepted: in a word, by which rule, and why."""

    word: str
    rule: str
    reason: str


@dataclass(frozen=True)
class Picture:
    """A picture in the page itself: its address, what stands for it, what stands below it."""

    address: str
    text: str
    caption: str


@dataclass(frozen=True)
class Opening:
    """The first screens of a report.

    Attributes
    ----------
    facts : sequence of str
        When, of which code, on which data.
    warnings : sequence of str
        What must be known before any figure is read.
    blocks : sequence of Block
        From what to what.
    accuracy : sequence of Kept
        What was kept.
    verdict : Verdict or None
        None where no network was accepted.
    sentences : sequence of str
        What must be said beside accuracies.
    counts : DataFrame
        Images and lesions of each part and class, as text.
    pictures : sequence of Picture
        One image before and after, and the difference.
    links : mapping
        Text to address, or to what is to be said instead of one.
    """

    facts: Sequence[str]
    warnings: Sequence[str]
    blocks: Sequence[Block]
    accuracy: Sequence[Kept]
    verdict: Verdict | None
    sentences: Sequence[str]
    counts: pd.DataFrame
    pictures: Sequence[Picture]
    links: Mapping[str, str]

    @property
    def accuracy_table(self) -> pd.DataFrame:
        """The metrics, a row an estimate."""
        return pd.DataFrame(
            [
                {
                    "metric": kept.name,
                    "network": each.who,
                    "value": f"{each.value:.3f}",
                    "interval": each.interval,
                    "stands on": " ".join(filter(None, (kept.stands_on, kept.caution))),
                }
                for kept in self.accuracy
                for each in kept.estimates
            ]
        )
