"""Pairs of images: photograph-like, random, constant, tiny, extreme."""

import cv2
import numpy as np
import pytest


def photo(seed=0, height=60, width=80):
    random = np.random.default_rng(seed)
    coarse = random.integers(40, 220, (7, 9, 3), dtype=np.uint8)
    grown = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = grown + random.normal(0, 3, grown.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def blurred(image, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma)


def make_pairs():
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (30, 41, 3), dtype=np.uint8)
    grey = np.full((20, 20, 3), 128, np.uint8)
    black, white = np.zeros((16, 12, 3), np.uint8), np.full((16, 12, 3), 255, np.uint8)
    checks = (np.indices((24, 24)).sum(axis=0) % 2 * 255).astype(np.uint8)
    checks = np.repeat(checks[..., None], 3, axis=2)
    tiny = random.integers(0, 256, (7, 7, 3), dtype=np.uint8)
    return {
        "photo": (photo(), blurred(photo(), 1.0)),
        "noise": (noise, random.integers(0, 256, noise.shape, dtype=np.uint8)),
        "grey": (grey, grey + 1),
        "extreme": (black, white),
        "checks": (checks, 255 - checks),
        "tiny": (tiny, tiny[::-1].copy()),
    }


PAIRS = make_pairs()


@pytest.fixture(params=PAIRS, ids=str)
def pair(request):
    return PAIRS[request.param]
