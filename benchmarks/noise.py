"""Put the originals' noise back into images that were encoded too hard.

HAM10000 is passed on re-encoded at quality 75, which took the sensor's noise out; codecs then look
better than they would on what a clinic has. Gaussian noise of σ = 3 grey levels brings the files
near the two untouched originals in size and in compression ratio. Written as the originals are:
JPEG, quality 100, no chroma subsampling.

    python benchmarks/noise.py SOURCE TARGET [--sigma 3]

The last line is one JSON object: ``images``, how many were written, and ``sigma``, in grey levels.
"""

import argparse
import json
import shutil
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def add_noise(image: np.ndarray, *, sigma: float, seed: int) -> np.ndarray:
    """Add Gaussian noise of `sigma` grey levels to uint8 (H, W, 3), rounded and clipped."""
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def write_noisy(source: Path, target: Path, *, sigma: float) -> int:
    """Copy a folder of images with noise; tables as they are. Return the number of images."""
    num_images = 0
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.suffix.lower() in {".jpg", ".png"}:
            place.parent.mkdir(parents=True, exist_ok=True)
            with Image.open(path) as image:
                noisy = add_noise(
                    np.asarray(image.convert("RGB")),
                    sigma=sigma,
                    seed=zlib.crc32(path.stem.encode()),
                )
            Image.fromarray(noisy).save(place.with_suffix(".jpg"), quality=100, subsampling=0)
            num_images += 1
        elif path.suffix == ".csv":
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
    return num_images


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--sigma", type=float, default=3.0)
    arguments = parser.parse_args()
    count = write_noisy(arguments.source, arguments.target, sigma=arguments.sigma)
    print(f"{count} images with noise of {arguments.sigma:g} grey levels in {arguments.target}")
    print(json.dumps({"images": count, "sigma": arguments.sigma}))
