"""The straightforward way: what one writes with numpy, scikit-image, mahotas and OpenCV.

It is what `benchmarks/sweep.py` measures SlimDerm's engine against and what its tests take for the
truth, so it is kept as plain as it can be. Nothing is shared between two k, but for the singular
value decomposition in the second of the two references.
"""

from collections.abc import Iterator, Sequence

import cv2
import mahotas
import numpy as np
import numpy.typing as npt
from skimage import metrics

Pixels = npt.NDArray[np.uint8]
RADIUS = 0.25  # share of the Nyquist frequency at which low frequencies end
THRESHOLD = 5  # grey levels
PSNR_CEILING = 100.0  # dB, for equal images


def truncate(image: Pixels, k: int) -> Pixels:
    """Reconstruct from `k` singular values a channel, one decomposition for each call."""
    channels = []
    for channel in range(3):
        u, s, v = np.linalg.svd(image[..., channel].astype(np.float64), full_matrices=False)
        channels.append(u[:, :k] @ np.diag(s[:k]) @ v[:k])
    return np.clip(np.rint(np.stack(channels, axis=2)), 0, 255).astype(np.uint8)


def truncations(image: Pixels, ranks: Sequence[int]) -> Iterator[Pixels]:
    """Reconstruct at each k from one decomposition a channel."""
    found = [
        np.linalg.svd(image[..., channel].astype(np.float64), full_matrices=False)
        for channel in range(3)
    ]
    for k in ranks:
        channels = [u[:, :k] @ np.diag(s[:k]) @ v[:k] for u, s, v in found]
        yield np.clip(np.rint(np.stack(channels, axis=2)), 0, 255).astype(np.uint8)


def gray(image: Pixels) -> Pixels:
    """Gray values as OpenCV weighs them."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)


def _histograms(image: Pixels) -> list[npt.NDArray[np.float32]]:
    counts = [cv2.calcHist([image], [channel], None, [256], [0, 256]) for channel in range(3)]
    return [(count / count.sum()).astype(np.float32) for count in counts]


def _spectral(x: Pixels, y: Pixels) -> tuple[float, float, float]:
    waves = [np.fft.fft2(image.astype(np.float64), norm="ortho") for image in (x, y)]
    down, right = np.meshgrid(*(np.fft.fftfreq(side) / 0.5 for side in x.shape), indexing="ij")
    low = np.hypot(down, right) <= RADIUS
    energy = np.abs(waves[0] - waves[1]) ** 2
    amplitudes = [np.abs(wave).ravel()[1:] for wave in waves]
    norms = [np.linalg.norm(a - a.mean()) for a in amplitudes]
    if min(norms) < 1e-6:
        correlation = float(max(norms) < 1e-6)
    else:
        correlation = float(np.corrcoef(*amplitudes)[0, 1])
    bands = [float(energy[band].mean()) if band.any() else 0.0 for band in (low, ~low)]
    return bands[0], bands[1], correlation


def _hu(x: Pixels, y: Pixels) -> tuple[float, float]:
    a, b = (cv2.HuMoments(cv2.moments(image)).ravel() for image in (x, y))
    if np.array_equal(a, b):
        return 0.0, 1.0
    flat = min(a.std(), b.std()) == 0
    return float(np.linalg.norm(a - b)), 0.0 if flat else float(np.corrcoef(a, b)[0, 1])


def compare(original: Pixels, other: Pixels) -> dict[str, float]:
    """Give every metric of the paper for one image against its original."""
    x, y = gray(original), gray(other)
    histograms = list(zip(_histograms(original), _histograms(other), strict=True))
    mse = metrics.mean_squared_error(original, other)
    equal = np.array_equal(original, other)
    psnr = (
        PSNR_CEILING if equal else metrics.peak_signal_noise_ratio(original, other, data_range=255)
    )
    haralick = [mahotas.features.haralick(image, return_mean=True) for image in (x, y)]
    distance, correlation = _hu(x, y)
    low, high, spectral = _spectral(x, y)
    # With the two corner values appended scikit-image's 256 bins are the 256 grey levels.
    constant = x.min() == x.max() and y.min() == y.max()
    return {
        "psnr": min(float(psnr), PSNR_CEILING),
        "ssim": float(
            metrics.structural_similarity(original, other, channel_axis=-1, data_range=255)
        ),
        "rmse": float(np.sqrt(mse)),
        "mse": float(mse),
        "histogram_intersection": float(np.mean([np.minimum(p, q).sum() for p, q in histograms])),
        "bhattacharyya": float(
            np.mean([cv2.compareHist(p, q, cv2.HISTCMP_BHATTACHARYYA) for p, q in histograms])
        ),
        "hu_distance": distance,
        "hu_correlation": correlation,
        "haralick_distance": float(np.linalg.norm(haralick[0] - haralick[1])),
        "share_changed": float(
            (np.abs(original.astype(int) - other.astype(int)) > THRESHOLD).any(axis=2).mean()
        ),
        "voi": float(sum(metrics.variation_of_information(x, y))),
        "nmi": 2.0 if constant else _mutual_information(x, y),
        "mse_low": low,
        "mse_high": high,
        "spectral_correlation": spectral,
    }


def _mutual_information(x: Pixels, y: Pixels) -> float:
    levels = np.arange(-0.5, 256)
    # scikit-image bins each image over its own range, so 256 bins would not be the grey levels.
    joint = np.histogram2d(x.ravel(), y.ravel(), bins=(levels, levels))[0] / x.size

    def entropy(shares: npt.NDArray[np.float64]) -> float:
        found = shares[shares > 0]
        return float(-(found * np.log2(found)).sum())

    marginals = entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1))
    return marginals / entropy(joint.ravel())
