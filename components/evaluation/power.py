"""What a part's size can resolve: the power of a paired comparison, before anything is trained."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

# Share of images that one of two equally good trainings has right and the other wrong; measured on
# two LeNet-5 based networks of one validation part of HAM10000.
DISCORDANCE = 0.24


@dataclass(frozen=True)
class PartSize:
    """How many images and lesions a part has, and what they are worth in each class.

    Attributes
    ----------
    num_images, num_lesions : int
        Of the whole part.
    effective : tuple of float
        Of each class that occurs: the lesions of one image each that tell as much, where images of
        one lesion tell nothing new (Kish 1965: square of the sum over sum of the squares).
    melanomas : float, optional
        The same of the melanoma class; None without it.
    """

    num_images: int
    num_lesions: int
    effective: tuple[float, ...]
    melanomas: float | None = None

    def __str__(self) -> str:
        return f"{self.num_images} images of {self.num_lesions} lesions"


def part_size(
    labels: npt.NDArray[np.int64],
    lesions: npt.NDArray[np.str_],
    melanoma: int | None = None,
) -> PartSize:
    """Count a part's images and lesions: labels and lesions are (N,)."""
    effective = {}
    for label in np.unique(labels):
        _, images = np.unique(lesions[labels == label], return_counts=True)  # of each lesion
        effective[int(label)] = float(images.sum() ** 2 / (images**2).sum())
    return PartSize(
        num_images=len(labels),
        num_lesions=len(np.unique(lesions)),
        effective=tuple(effective.values()),
        melanomas=None if melanoma is None else effective.get(melanoma),
    )


def powers(
    size: PartSize,
    margins: Mapping[str, float],
    *,
    discordance: float = DISCORDANCE,
    error: float = 0.025,
    num_seeds: int = 1,
) -> dict[str, float]:
    """Compute the probability that a network as good as its reference is found non-inferior.

    The difference of two recalls has the variance ``discordance / lesions``; balanced accuracy is
    the mean of the classes' recalls. Normal approximation; the seeds of an equal network err
    independently.

    Parameters
    ----------
    size : PartSize
        Of the part that judges.
    margins : mapping
        ``balanced_accuracy`` and ``melanoma_sensitivity``, shares.
    discordance : float
        Share of images that one network alone has right, in (0, 1].
    error : float
        One-sided probability of finding non-inferior what is worse by the margin, in (0, 0.5).
    num_seeds : int
        Trainings of each network.

    Returns
    -------
    dict
        Metric to a probability; without melanomas there is none for their sensitivity.
    """
    spreads = {"balanced_accuracy": sum(1 / each for each in size.effective)}
    spreads["balanced_accuracy"] /= len(size.effective) ** 2
    if size.melanomas:
        spreads["melanoma_sensitivity"] = 1 / size.melanomas
    normal = NormalDist()
    beyond = normal.inv_cdf(1 - error)
    return {
        name: normal.cdf(margins[name] / math.sqrt(discordance * spread / num_seeds) - beyond)
        for name, spread in spreads.items()
    }


def in_words(found: Mapping[str, float], margins: Mapping[str, float]) -> str:
    """Say what can be resolved, such as ``0.05 of balanced accuracy with probability 0.70``."""
    return " and ".join(
        f"{margins[name]:g} of {name.replace('_', ' ')} with probability {power:.2f}"
        for name, power in found.items()
    )
