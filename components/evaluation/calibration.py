"""Whether probabilities mean what they say, and one number that mends most of it."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.common.errors import SchemaError

Floats = npt.NDArray[np.float64]
SMALLEST = 1e-30
LARGEST_LOG_TEMPERATURE = 4.0


def reliability(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating], *, num_bins: int = 15
) -> pd.DataFrame:
    """Compare confidence with accuracy, bin by bin.

    Parameters
    ----------
    labels : int array of shape (N,)
        Class indices.
    probabilities : float array of shape (N, C)
        Rows sum to 1.
    num_bins : int
        Bins of equal width over [0, 1]; an image falls in by the probability of its predicted
        class, upper edges included.

    Returns
    -------
    DataFrame
        One row a bin that holds images: ``low``, ``high``, ``confidence`` (mean probability of the
        predicted class), ``accuracy``, ``num_images``.

    Raises
    ------
    SchemaError
        When the arrays do not fit together or are empty.
    """
    _check(labels, probabilities)
    confidence = probabilities.max(axis=1)  # (N,)
    right = probabilities.argmax(axis=1) == labels
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    rows = [
        {
            "low": index / num_bins,
            "high": (index + 1) / num_bins,
            "confidence": float(confidence[bins == index].mean()),
            "accuracy": float(right[bins == index].mean()),
            "num_images": int((bins == index).sum()),
        }
        for index in np.unique(bins)
    ]
    return pd.DataFrame(rows)


def expected_calibration_error(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating], *, num_bins: int = 15
) -> float:
    """Mean distance of confidence and accuracy over bins, weighted by images, in [0, 1].

    References
    ----------
    Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, equation 3.
    """
    table = reliability(labels, probabilities, num_bins=num_bins)
    distance = (table["confidence"] - table["accuracy"]).abs()
    return float((distance * table["num_images"]).sum() / table["num_images"].sum())


def tempered(probabilities: npt.NDArray[np.floating], temperature: float) -> Floats:
    """Divide the logits that probabilities came from by a temperature; the order stays.

    Parameters
    ----------
    probabilities : float array of shape (N, C)
        Rows sum to 1. Their logarithms are the logits but for a constant, which softmax forgets.
    temperature : float
        Above 0; above 1 softens.

    Returns
    -------
    float64 array of shape (N, C)
        Rows sum to 1.
    """
    logits = np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: Floats = powers / powers.sum(axis=1, keepdims=True)
    return scaled


def fit_temperature(
    labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating]
) -> float:
    """Return the temperature of the least negative log-likelihood; fit it on validation.

    Returns
    -------
    float
        In [exp(-4), exp(4)].

    Raises
    ------
    SchemaError
        As `reliability`.

    References
    ----------
    Guo et al., 2017, section 4.2.
    """
    from scipy.optimize import minimize_scalar

    _check(labels, probabilities)

    def loss(log_temperature: float) -> float:
        likelihood = tempered(probabilities, np.exp(log_temperature))[
            np.arange(len(labels)), labels
        ]
        return float(-np.log(np.maximum(likelihood, SMALLEST)).mean())

    bounds = (-LARGEST_LOG_TEMPERATURE, LARGEST_LOG_TEMPERATURE)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def _check(labels: npt.NDArray[np.int64], probabilities: npt.NDArray[np.floating]) -> None:
    if len(labels) == 0 or probabilities.ndim != 2 or len(labels) != len(probabilities):
        raise SchemaError(
            f"received {len(labels)} labels and probabilities of shape {probabilities.shape}, "
            "expected a row of probabilities for each of at least one label"
        )
