"""Values in one dimension gathered into a few, by k-means from a linear start."""

import numpy as np
import numpy.typing as npt

SWEEPS = 300


def clusters(values: npt.NDArray[np.floating], number: int) -> npt.NDArray[np.float64]:
    """Return the centroids of Lloyd's k-means.

    The start divides the range of the values evenly: of the starts that Han et al. compared it
    keeps large weights best, which are few and matter most. Clusters that end empty are dropped.

    Parameters
    ----------
    values : float array
        Of any shape, not empty, finite.
    number : int
        Of clusters at most; there are never more than distinct values.

    Returns
    -------
    float64 array of shape (at most number,)
        Ascending. Each value belongs to the nearest.

    References
    ----------
    Han, Mao, Dally, "Deep Compression", arXiv:1510.00149, section 3.2.
    """
    ordered = np.sort(np.ravel(values).astype(np.float64))
    distinct = np.unique(ordered)
    if len(distinct) <= number:
        return distinct
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    centroids = np.linspace(ordered[0], ordered[-1], number)
    for _ in range(SWEEPS):
        ends = np.searchsorted(ordered, (centroids[1:] + centroids[:-1]) / 2)
        ends = np.concatenate([[0], ends, [len(ordered)]])
        counts = np.diff(ends)
        full = counts > 0  # an empty cluster waits where it is
        moved = np.where(full, np.diff(sums[ends]) / np.maximum(counts, 1), centroids)
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return centroids[full]


def nearest(
    values: npt.NDArray[np.floating], centroids: npt.NDArray[np.float64]
) -> npt.NDArray[np.int32]:
    """Return the index of the nearest centroid, the lower of two as near; centroids ascend."""
    middles = (centroids[1:] + centroids[:-1]) / 2
    return np.searchsorted(middles, values).astype(np.int32)
