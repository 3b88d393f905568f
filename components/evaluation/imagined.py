"""Lesions that nobody has seen: two a class, for intervals that would have no width without them.

Where every lesion of a class is classified rightly, each bootstrap sample says the same, however
few lesions there are. One imagined lesion that is right and one that is wrong give the interval the
width that so few can have (Agresti and Caffo 2000, doi 10.1080/00031305.2000.10474560; for pairs
Bonett and Price 2012, doi 10.3102/1076998611411915).
"""

import numpy as np
import numpy.typing as npt

from slimderm.components.evaluation.metrics import Floats, Probabilities

Labels = npt.NDArray[np.int64]


class Imagined:
    """A part with two imagined lesions more in each class that is there.

    Each has as many images as the class's lesions have in the mean: intervals are of images, and
    their width of lesions.

    Parameters
    ----------
    labels : numpy.ndarray
        (N,) class indices.
    lesions : numpy.ndarray
        (N,) the lesion of each image.

    Attributes
    ----------
    labels, lesions : numpy.ndarray
        (N + M,) with the M images of the imagined ones last.
    """

    def __init__(self, labels: Labels, lesions: npt.NDArray[np.str_]) -> None:
        self._classes: list[int] = []  # of each imagined image
        self._first: list[bool] = []  # whether it is of its class's first imagined lesion
        names: list[str] = []
        for each in np.unique(labels):
            of_class = lesions[labels == each]
            images = round(len(of_class) / len(np.unique(of_class)))
            for first in (True, False):
                self._classes += [int(each)] * images
                self._first += [first] * images
                names += [f"imagined {each} {first}"] * images
        self.labels: Labels = np.concatenate([labels, np.array(self._classes, labels.dtype)])
        self.lesions = np.concatenate([[f"lesion {name}" for name in lesions], names])

    def beside(self, probabilities: Probabilities, *, first_right: bool = True) -> Floats:
        """Add predictions: of the two lesions of a class one is right.

        Parameters
        ----------
        probabilities : numpy.ndarray
            (N, C).
        first_right : bool
            Whether that is the first, or the second.

        Returns
        -------
        numpy.ndarray
            (N + M, C).
        """
        num_classes = probabilities.shape[1]
        classes, right = np.array(self._classes), np.array(self._first) == first_right
        rows = np.eye(num_classes)[np.where(right, classes, (classes + 1) % num_classes)]
        return np.concatenate([probabilities, rows])
