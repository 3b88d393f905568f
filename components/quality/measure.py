"""All metrics of one image against its original, the original's part computed once."""

import cv2
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ImageError
from slimderm.components.quality import colour, fidelity, information, shape, spectrum, texture
from slimderm.components.quality.settings import QualitySettings

Pixels = npt.NDArray[np.uint8]


class Reference:
    """An original, ready to be compared with.

    Parameters
    ----------
    original : uint8 array of shape (H, W, 3)
        Both sides at least 7, SSIM's window.
    settings : QualitySettings

    Raises
    ------
    ImageError
        If the array has another dtype or shape, or is too small.
    """

    def __init__(self, original: Pixels, settings: QualitySettings) -> None:
        if original.dtype != np.uint8 or original.ndim != 3 or original.shape[2] != 3:
            raise ImageError(
                f"received an array of {original.dtype} {original.shape}, expected uint8 (H, W, 3)"
            )
        if min(original.shape[:2]) < fidelity.WINDOW:
            raise ImageError(
                f"received {original.shape[0]}x{original.shape[1]} pixels, expected at least "
                f"{fidelity.WINDOW}x{fidelity.WINDOW}, the window of SSIM"
            )
        self.original, self.settings = np.ascontiguousarray(original), settings
        self.gray = cv2.cvtColor(original, cv2.COLOR_RGB2GRAY)
        self.moments = fidelity.moments(original)
        self.histograms = colour.histograms(original)
        self.hu = shape.hu_moments(self.gray)
        self.haralick = texture.haralick_features(self.gray)
        self.spectrum = spectrum.spectrum(self.gray)

    def compare(self, other: Pixels) -> dict[str, float]:
        """Give every metric of `METRICS` for another image of the same shape.

        Parameters
        ----------
        other : uint8 array of shape (H, W, 3)

        Returns
        -------
        dict of str to float

        Raises
        ------
        ImageError
            If the shapes or dtypes differ.
        """
        if other.shape != self.original.shape or other.dtype != np.uint8:
            raise ImageError(
                f"received an array of {other.dtype} {other.shape}, expected uint8 "
                f"{self.original.shape} as the original's"
            )
        other = np.ascontiguousarray(other)
        gray = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)
        pixels = fidelity.differences(
            self.original, other, threshold=self.settings.changed_threshold
        )
        histograms, hu = colour.histograms(other), shape.hu_moments(gray)
        bits = information.entropies(self.gray, gray)
        waves = spectrum.compare(self.spectrum, gray, radius=self.settings.low_frequency_radius)
        return {
            "psnr": pixels.psnr,
            "ssim": fidelity.ssim(self.moments, other),
            "rmse": pixels.rmse,
            "mse": pixels.mse,
            "histogram_intersection": colour.histogram_intersection(self.histograms, histograms),
            "bhattacharyya": colour.bhattacharyya(self.histograms, histograms),
            "hu_distance": shape.hu_distance(self.hu, hu),
            "hu_correlation": shape.hu_correlation(self.hu, hu),
            "haralick_distance": texture.haralick_distance(
                self.haralick, texture.haralick_features(gray)
            ),
            "share_changed": pixels.share_changed,
            "voi": information.variation_of_information(*bits),
            "nmi": information.normalised_mutual_information(*bits),
            "mse_low": waves.mse_low,
            "mse_high": waves.mse_high,
            "spectral_correlation": waves.correlation,
        }
