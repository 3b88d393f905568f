"""What a metric is given: two images, and what is computed of them once for all metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from slimderm.components.quality.settings import QualitySettings

    Pixels = npt.NDArray[np.uint8]

Result = TypeVar("Result")


class Image:
    """One image.

    Attributes
    ----------
    pixels : uint8 array of shape (H, W, 3)
        RGB, C-contiguous.
    """

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self._results: dict[Callable[..., Any], Any] = {}

    @cached_property
    def gray(self) -> Pixels:
        """The image in shades of gray, uint8 (H, W)."""
        import cv2
        import numpy as np

        return np.asarray(cv2.cvtColor(self.pixels, cv2.COLOR_RGB2GRAY), np.uint8)

    def once(self, compute: Callable[[Image], Result]) -> Result:
        """Return what `compute` gives of this image; it is called the first time alone."""
        if compute not in self._results:
            self._results[compute] = compute(self)
        found: Result = self._results[compute]
        return found


class Pair:
    """An image beside its original, of one shape.

    Attributes
    ----------
    original, other : Image
    settings : QualitySettings
    """

    def __init__(self, original: Image, other: Image, settings: QualitySettings) -> None:
        self.original, self.other, self.settings = original, other, settings
        self._results: dict[Callable[..., Any], Any] = {}

    def once(self, compute: Callable[[Pair], Result]) -> Result:
        """Return what `compute` gives of this pair; it is called the first time alone."""
        if compute not in self._results:
            self._results[compute] = compute(self)
        found: Result = self._results[compute]
        return found


@dataclass(frozen=True)
class Metric:
    """A measure of how near an image is to its original.

    Attributes
    ----------
    label : str
        Its title in pictures, unit included.
    better : str
        Which way is nearer.
    compute : callable
        A pair to the value, a finite float. What it shares with other metrics it takes from
        `Image.once` and `Pair.once`.
    log_scale : bool
        Whether pictures show it on a logarithmic axis.
    """

    label: str
    better: Literal["higher", "lower"]
    compute: Callable[[Pair], float]
    log_scale: bool = False

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return 1 if self.better == "higher" else -1
