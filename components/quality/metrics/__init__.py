"""How near an image is to its original, by name: a function in a file of its kind, and its line.

All other lists of metrics come from this table: the choices of ``params.yaml``, the columns of
manifests and tables, the labels of pictures. It loads no library that computes, so settings can
import it.
"""

from slimderm.components.quality.metrics import (
    colour,
    fidelity,
    information,
    shape,
    spectrum,
    texture,
)
from slimderm.components.quality.metrics.base import Image, Metric, Pair

__all__ = ["HEADLINE", "METRICS", "Image", "Metric", "Pair", "describe_floors"]

METRICS: dict[str, Metric] = {
    "psnr": Metric("PSNR, dB", "higher", fidelity.psnr),
    "ssim": Metric("SSIM", "higher", fidelity.ssim),
    "rmse": Metric("RMSE, grey levels", "lower", fidelity.rmse),
    "mse": Metric("MSE, grey levels²", "lower", fidelity.mse),
    "histogram_intersection": Metric("histogram intersection", "higher", colour.intersection),
    "bhattacharyya": Metric("Bhattacharyya distance", "lower", colour.bhattacharyya),
    "hu_distance": Metric("Hu moments, distance", "lower", shape.hu_distance),
    "hu_correlation": Metric("Hu moments, correlation", "higher", shape.hu_correlation),
    "haralick_distance": Metric(
        "Haralick features, distance", "lower", texture.haralick_distance, log_scale=True
    ),
    "share_changed": Metric("share of changed pixels", "lower", fidelity.share_changed),
    "voi": Metric("variation of information, bits", "lower", information.variation),
    "nmi": Metric("normalised mutual information", "higher", information.normalised_mutual),
    "mse_low": Metric("MSE, low frequencies", "lower", spectrum.mse_low),
    "mse_high": Metric("MSE, high frequencies", "lower", spectrum.mse_high),
    "spectral_correlation": Metric("spectral correlation", "higher", spectrum.correlation),
}
# What tables and pictures show where there is no room for all.
HEADLINE = ("psnr", "ssim", "haralick_distance")


def describe_floors(floors: dict[str, float]) -> str:
    """Write floors as a sentence has them, such as ``ssim at least 0.95, mse at most 3``."""
    signs = {"higher": "at least", "lower": "at most"}
    return ", ".join(f"{m} {signs[METRICS[m].better]} {floor:g}" for m, floor in floors.items())
