"""Which epoch's network is kept. Add a rule by one line of `CHECKPOINTS`.

Nothing here imports Keras.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Row = Mapping[str, float]  # an epoch's row of the history
Standing = Callable[[Row, float], tuple[float, ...]]


@dataclass(frozen=True)
class Checkpoint:
    """One rule.

    Attributes
    ----------
    standing : callable
        Takes an epoch's row and the training accuracy asked for; the epoch of the highest standing
        is kept, the earlier of equals.
    averaged : bool
        Whether the weights that are judged and kept are the moving average of those of the steps.
    reads_accuracy : bool
        Whether `standing` depends on the training accuracy asked for.
    """

    standing: Standing
    averaged: bool = False
    reads_accuracy: bool = False


def _by_validation(row: Row, accuracy: float) -> tuple[float, ...]:
    return (row["validation_balanced_accuracy"], -row["validation_loss"])


def _by_loss(row: Row, accuracy: float) -> tuple[float, ...]:
    return (-row["validation_loss"],)


def _last(row: Row, accuracy: float) -> tuple[float, ...]:
    return (row["epoch"],)


def _trained(row: Row, accuracy: float) -> tuple[float, ...]:
    return (min(row["train_accuracy"], accuracy), *_by_validation(row, accuracy))


# benchmarks/best_epoch.py measures these (decision 19).
CHECKPOINTS: dict[str, Checkpoint] = {
    "average_best": Checkpoint(_by_validation, averaged=True),
    "average_loss": Checkpoint(_by_loss, averaged=True),
    "average_last": Checkpoint(_last, averaged=True),
    "best": Checkpoint(_by_validation),
    "loss": Checkpoint(_by_loss),
    "last": Checkpoint(_last),
    # The paper's: a checkpoint that meets the training threshold.
    "trained": Checkpoint(_trained, reads_accuracy=True),
}
