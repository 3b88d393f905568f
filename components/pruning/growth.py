"""How parameters fall with pruning iterations, and by which law (paper, section 4.1, figure 2)."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.widths import Widths, shrink_widths

Floats = npt.NDArray[np.float64]

# Which convolutions shrink; the dense layers shrink in every case.
GROWTH_SCOPES: dict[str, int | None] = {
    "all convolutions": None,
    "the first": 1,
    "the first two": 2,
    "the first three": 3,
}
NUM_ITERATIONS = 5  # table 6 goes no further


def path_table(
    starts: Mapping[str, Widths],
    counters: Mapping[str, Callable[[Widths], int]],
    factors: Sequence[float],
    *,
    num_iterations: int = NUM_ITERATIONS,
) -> pd.DataFrame:
    """Count parameters along every path: network, which convolutions shrink, factor.

    Parameters
    ----------
    starts : mapping
        Network to its unpruned widths.
    counters : mapping
        Network to a function from widths to parameters.
    factors : sequence of float
        Percentages.
    num_iterations : int
        Iterations after the unpruned network, which is iteration 0.

    Returns
    -------
    DataFrame
        Columns network, scope (a key of `GROWTH_SCOPES`), factor, iteration, num_parameters. A
        scope that names more convolutions than a network has shrinks those it has.

    Raises
    ------
    ParameterError
        When a factor is out of range.
    """
    rows = []
    for network, start in starts.items():
        for scope, num_convolutions in GROWTH_SCOPES.items():
            for factor in factors:
                widths = start
                for iteration in range(num_iterations + 1):
                    count = counters[network](widths)
                    rows.append((network, scope, factor, iteration, count))
                    widths = shrink_widths(widths, factor, num_convolutions=num_convolutions)
    columns = ["network", "scope", "factor", "iteration", "num_parameters"]
    return pd.DataFrame(rows, columns=columns)


def fit_linear(x: Floats, y: Floats) -> Floats:
    """Predict y by a straight line through the points, least squares."""
    return np.asarray(np.polyval(np.polyfit(x, y, 1), x), np.float64)


def fit_polynomial(x: Floats, y: Floats) -> Floats:
    """Predict y by a polynomial of degree 2, least squares."""
    return np.asarray(np.polyval(np.polyfit(x, y, 2), x), np.float64)


def fit_exponential(x: Floats, y: Floats) -> Floats:
    """Predict positive y by a * exp(b * x), a straight line through log y, least squares."""
    return np.asarray(np.exp(np.polyval(np.polyfit(x, np.log(y), 1), x)), np.float64)


FITS: dict[str, Callable[[Floats, Floats], Floats]] = {
    "linear": fit_linear,
    "polynomial": fit_polynomial,
    "exponential": fit_exponential,
}


def r_squared(y: Floats, predicted: Floats) -> float:
    """Coefficient of determination, 1 for a perfect fit; of y itself, not of its logarithm.

    Raises
    ------
    ParameterError
        When all of y is one value, of which no share can be explained.
    """
    spread = float(((y - y.mean()) ** 2).sum())
    if not spread:
        raise ParameterError("r_squared: received equal values, expected some that differ")
    return 1 - float(((y - predicted) ** 2).sum()) / spread


def fit_table(paths: pd.DataFrame) -> pd.DataFrame:
    """Fit every path of a table by every law.

    Parameters
    ----------
    paths : DataFrame
        As `path_table` gives it.

    Returns
    -------
    DataFrame
        Columns network, scope, factor, model (a key of `FITS`), r2. A polynomial has one degree of
        freedom more than the other two and never fits worse than the line.
    """
    rows = []
    for (network, scope, factor), path in paths.groupby(["network", "scope", "factor"], sort=False):
        x = path["iteration"].to_numpy(float)
        y = path["num_parameters"].to_numpy(float)
        for model, fit in FITS.items():
            rows.append((network, scope, factor, model, r_squared(y, fit(x, y))))
    return pd.DataFrame(rows, columns=["network", "scope", "factor", "model", "r2"])
