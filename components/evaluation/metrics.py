"""How good a classifier is: the paper's metrics and those that imbalance calls for.

All come from weights of images: one row of ones gives the plain value, one row of draw counts a
bootstrap sample, so a thousand samples are one matrix product. NumPy alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError, SchemaError

Floats = npt.NDArray[np.float64]
Probabilities = npt.NDArray[np.floating[Any]]


def classification_metrics(
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    *,
    melanoma: int | None = None,
) -> dict[str, float]:
    """Compute the paper's metrics (section 5.1) and those that imbalance calls for.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,) class indices.
    probabilities : numpy.ndarray
        (N, C), one column a class.
    melanoma : int, optional
        The class whose recall is the melanoma sensitivity.

    Returns
    -------
    dict
        accuracy, precision and recall (macro over the classes that occur or are predicted, a class
        never predicted having precision 0), balanced_accuracy (mean recall of the classes that
        occur), auroc (macro, one against the rest) and, with ``melanoma``, melanoma_sensitivity;
        each in [0, 1], NaN where undefined.

    Raises
    ------
    SchemaError
        When the arrays are empty, do not fit together, or hold values that are not finite.
    ParameterError
        When ``melanoma`` is no class.
    """
    check(labels, probabilities, melanoma)
    weights = np.ones((1, len(labels)))
    metrics = weighted_metrics(weights, labels, probabilities, melanoma)
    return {name: float(values[0]) for name, values in metrics.items()}


def confusion_matrix(
    labels: npt.NDArray[np.int64], probabilities: Probabilities
) -> npt.NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column): (C, C) int64.

    Raises
    ------
    SchemaError
        As `classification_metrics`.
    """
    check(labels, probabilities, None)
    matrix = _confusion(np.ones((1, len(labels))), labels, probabilities)[0]
    counts: npt.NDArray[np.int64] = np.rint(matrix).astype(np.int64)
    return counts


def check(
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    melanoma: int | None,
) -> None:
    """Refuse labels and probabilities that do not fit together.

    Raises
    ------
    SchemaError, ParameterError
        As `classification_metrics` says.
    """
    shape = probabilities.shape
    if len(labels) == 0 or len(shape) != 2 or shape[0] != len(labels):
        raise SchemaError(
            f"received {len(labels)} labels and probabilities {shape}, expected (N,) and (N, C) "
            "with N of at least 1"
        )
    if labels.min() < 0 or labels.max() >= shape[1] or not np.isfinite(probabilities).all():
        raise SchemaError(
            f"received labels {labels.min()}..{labels.max()} for {shape[1]} columns, expected "
            "labels below the number of columns and finite probabilities"
        )
    if melanoma is not None and not 0 <= melanoma < shape[1]:
        raise ParameterError(f"melanoma: received {melanoma}, expected a class below {shape[1]}")


def _confusion(
    weights: Floats,
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
) -> Floats:
    num_classes = probabilities.shape[1]
    cell = labels * num_classes + probabilities.argmax(axis=1)
    cells = np.eye(num_classes**2)[cell]  # (N, C * C)
    counted: Floats = (weights @ cells).reshape(-1, num_classes, num_classes)
    return counted


def weighted_metrics(
    weights: Floats,
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    melanoma: int | None,
) -> dict[str, Floats]:
    """Every metric for every row of ``weights`` (S, N): arrays of shape (S,)."""
    ranked = np.stack(
        [
            _auroc(weights, labels == label, probabilities[:, label])
            for label in range(probabilities.shape[1])
        ],
        axis=1,
    )
    return decision_metrics(weights, labels, probabilities, melanoma) | {"auroc": _mean(ranked)}


def decision_metrics(
    weights: Floats,
    labels: npt.NDArray[np.int64],
    probabilities: Probabilities,
    melanoma: int | None,
) -> dict[str, Floats]:
    """`weighted_metrics` without AUROC, which takes a hundred times as long: (S,) each."""
    confusion = _confusion(weights, labels, probabilities)  # (S, C, C)
    hits = np.diagonal(confusion, axis1=1, axis2=2)
    actual, predicted = confusion.sum(axis=2), confusion.sum(axis=1)  # (S, C)
    recalls = _ratio(hits, actual)
    seen = np.where(actual + predicted > 0, 1.0, np.nan)
    metrics = {
        "accuracy": hits.sum(axis=1) / confusion.sum(axis=(1, 2)),
        "precision": _mean(np.nan_to_num(_ratio(hits, predicted)) * seen),
        "recall": _mean(np.nan_to_num(recalls) * seen),
        "balanced_accuracy": _mean(recalls),
    }
    if melanoma is not None:
        metrics["melanoma_sensitivity"] = recalls[:, melanoma]
    return metrics


def _auroc(weights: Floats, positive: npt.NDArray[np.bool_], scores: Probabilities) -> Floats:
    """Weighted chance that a positive scores above a negative, ties counting half: (S,)."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))  # first of each tied group
    sorted_weights = weights[:, order]
    positives = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    negatives = np.add.reduceat(sorted_weights * ~positive[order], starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return _ratio((positives * below).sum(axis=1), pairs)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _mean(values: Floats) -> Floats:
    """Mean along the last axis of what is defined, NaN where nothing is."""
    defined = ~np.isnan(values)
    return _ratio(np.nansum(values, axis=-1), defined.sum(axis=-1).astype(np.float64))
