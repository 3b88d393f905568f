"""What age, sex and site contribute: permutation importance (Breiman, Random Forests, 2001)."""

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd

from slimderm.components.common.errors import SchemaError
from slimderm.components.evaluation.metrics import classification_metrics
from slimderm.components.training.batches import Examples
from slimderm.components.training.prediction import predict


def permutation_importance(
    model: keras.Model, examples: Examples, names: Sequence[str], *, repeats: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Measure what a model loses when one column of the metadata is dealt out at random.

    Parameters
    ----------
    model : keras.Model
        Takes ``image`` and ``metadata``.
    examples : Examples
        Images that the model was not trained on.
    names : sequence of str
        Of the columns of ``examples.metadata``, in their order.
    repeats : int
        Permutations of each column; their mean is given.
    seed : int
        Fixes the permutations.

    Returns
    -------
    DataFrame
        One row a column: ``column``, ``balanced_accuracy_lost`` (share), ``predictions_changed``
        (share of the images whose class changes), ``probability_moved`` (mean total variation
        distance, in [0, 1]). All are exactly 0 for a column that the model does not read.

    Raises
    ------
    SchemaError
        When there are not as many names as columns.
    """
    if len(names) != examples.metadata.shape[1]:
        raise SchemaError(
            f"names: received {len(names)}, expected one for each of "
            f"{examples.metadata.shape[1]} columns of the metadata"
        )
    random = np.random.default_rng(seed)
    whole = predict(model, examples)
    reference = classification_metrics(examples.labels, whole)["balanced_accuracy"]
    rows = []
    for column, name in enumerate(names):
        dealt = predict(model, _dealt(examples, column, repeats, random))
        found = []
        for probabilities in np.split(dealt, repeats):
            judged = classification_metrics(examples.labels, probabilities)
            found.append(
                (
                    reference - judged["balanced_accuracy"],
                    float((probabilities.argmax(1) != whole.argmax(1)).mean()),
                    float(np.abs(probabilities - whole).sum(1).mean() / 2),
                )
            )
        lost, changed, moved = np.mean(found, axis=0)
        rows.append(
            {
                "column": name,
                "balanced_accuracy_lost": float(lost),
                "predictions_changed": float(changed),
                "probability_moved": float(moved),
            }
        )
    return pd.DataFrame(rows)


def _dealt(examples: Examples, column: int, repeats: int, random: np.random.Generator) -> Examples:
    """Repeat the examples, each time with one column of the metadata permuted."""
    repeated = examples.take(np.tile(np.arange(len(examples)), repeats))
    for block in np.split(repeated.metadata, repeats):
        block[:, column] = random.permutation(block[:, column])
    return repeated
