"""A hand-made dataset of tiny images in the official layout."""

import cv2
import numpy as np
import pandas as pd
import pytest

COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")


class Made:
    def __init__(self, folder):
        self.folder = folder
        self.images = folder / "HAM10000_images_part_1"
        self.images.mkdir(parents=True)
        self.rows = []

    def image(self, name, *, suffix=".jpg", shape=(12, 16, 3), seed=None):
        """Write an image whose content follows from its name."""
        random = np.random.default_rng(abs(hash_of(name)) if seed is None else seed)
        pixels = random.integers(0, 256, shape, dtype=np.uint8)
        path = self.images / f"{name}{suffix}"
        cv2.imwrite(str(path), pixels)
        return path

    def row(self, name, lesion=None, dx="nv", age="50", sex="male", site="back"):
        self.rows.append((lesion or f"L{name}", name, dx, "histo", age, sex, site))

    def add(self, name, **row):
        self.row(name, **row)
        return self.image(name)

    def write(self, *, sep=",", name="HAM10000_metadata.csv", drop=None):
        table = pd.DataFrame(self.rows, columns=COLUMNS)
        table = table.drop(columns=drop or [])
        table.to_csv(self.folder / name, index=False, sep=sep)
        return self.folder


def hash_of(name):
    return sum((index + 1) * ord(letter) for index, letter in enumerate(name))


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "source")
