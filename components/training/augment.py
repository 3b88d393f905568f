"""Flip, turn, zoom and light images at random: what a dermatoscope's position and lamp may do."""

import zlib
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

MAX_TURN = 20.0  # degrees either way
MAX_ZOOM = 0.1  # share either way
MAX_BRIGHTNESS = 0.1  # share either way


def augment(images: npt.NDArray[np.uint8], random: np.random.Generator) -> None:
    """Change each image of a batch in place.

    One affine map an image holds flips, turn and zoom, so that each pixel is interpolated once;
    the border is mirrored, for black corners would be a sign of the augmented classes.

    Parameters
    ----------
    images : numpy.ndarray
        (N, H, W, 3) uint8, overwritten.
    random : numpy.random.Generator
        Where all chance comes from.
    """
    count, height, width = images.shape[:3]
    flips = random.choice((-1.0, 1.0), (count, 2))
    turns = np.deg2rad(random.uniform(-MAX_TURN, MAX_TURN, count))
    zooms = random.uniform(1 - MAX_ZOOM, 1 + MAX_ZOOM, count)
    gains = random.uniform(1 - MAX_BRIGHTNESS, 1 + MAX_BRIGHTNESS, (count, 1))
    cosines, sines = np.cos(turns) / zooms, np.sin(turns) / zooms
    maps = np.empty((count, 2, 3))  # output to input coordinates
    maps[:, 0, :2] = np.stack([cosines, -sines], axis=1) * flips
    maps[:, 1, :2] = np.stack([sines, cosines], axis=1) * flips
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    maps[:, :, 2] = centre - maps[:, :, :2] @ centre
    for index in range(count):
        moved = cv2.warpAffine(
            images[index],
            maps[index],
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        cv2.convertScaleAbs(moved, dst=images[index], alpha=gains[index, 0])


def augment_copies(
    images: npt.NDArray[np.uint8], names: Sequence[str], copies: npt.NDArray[np.int64]
) -> None:
    """Augment in place the images that are copies, each by its name and number alone.

    So a copy has the same flip, turn, zoom and light in every run, and in every variant of its
    image.

    Parameters
    ----------
    images : numpy.ndarray
        (N, H, W, 3) uint8; copies are overwritten.
    names : sequence of str
        N image_ids.
    copies : numpy.ndarray
        (N,) 0 for an image itself, from 1 for its copies.
    """
    for index, (name, copy) in enumerate(zip(names, copies, strict=True)):
        if copy:
            random = np.random.default_rng((zlib.crc32(name.encode()), int(copy)))
            augment(images[index : index + 1], random)
