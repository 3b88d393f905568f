"""A small dataset in HAM10000's layout, drawn by a program: for the demo and the tests.

A lesion is a blob on skin: its class decides how its colour, the roughness of its border and its
texture are distributed, and the distributions overlap, so that a network has something to learn and
something to get wrong. Noise and hairs are the same for all classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from slimderm.components.dataset.labels import DIAGNOSES
from slimderm.components.dataset.layouts import METADATA
from slimderm.components.dataset.settings import SyntheticSettings

Floats = npt.NDArray[np.float32]
QUALITY = 98  # of the JPEG files, as HAM10000's own
NOISE = 3.0  # grey levels, standard deviation
DRAWN = "synthetic"  # dx_type of what is drawn; HAM10000's own say how a diagnosis was confirmed


@dataclass(frozen=True)
class Look:
    """How a diagnosis looks: mean of each trait, and how often it is seen.

    ``colour`` is RGB in 0..255, ``border`` the border's roughness as a share of the radius,
    ``texture`` the contrast of the pigment in grey levels, ``age`` in years.
    """

    share: float
    colour: tuple[int, int, int]
    border: float
    texture: float
    age: int
    sites: tuple[str, ...]


# Shares lean to nevi as HAM10000's do, but leave enough of every diagnosis for three parts.
LOOKS = {
    "nv": Look(0.44, (150, 100, 78), 0.05, 10, 42, ("back", "trunk", "abdomen")),
    "mel": Look(0.20, (92, 62, 60), 0.20, 34, 61, ("back", "upper extremity", "face")),
    "bkl": Look(0.13, (166, 122, 82), 0.10, 22, 64, ("face", "back", "chest")),
    "bcc": Look(0.09, (196, 124, 118), 0.12, 16, 66, ("face", "back", "neck")),
    "akiec": Look(0.06, (190, 112, 100), 0.14, 24, 66, ("face", "upper extremity", "scalp")),
    "vasc": Look(0.04, (168, 52, 66), 0.06, 12, 51, ("trunk", "abdomen", "face")),
    "df": Look(0.04, (158, 104, 92), 0.08, 18, 52, ("lower extremity", "upper extremity")),
}


def write_synthetic(
    folder: Path, settings: SyntheticSettings, *, progress: Callable[[int], object] | None = None
) -> pd.DataFrame:
    """Write a dataset in the official layout, and negative images in ``negatives``.

    Parameters
    ----------
    folder : path
        Receives ``HAM10000_images_part_1``, ``HAM10000_metadata.csv`` and ``negatives``.
    settings : SyntheticSettings
        The same settings give the same bytes.
    progress : callable, optional
        Called with the number of images written so far.

    Returns
    -------
    DataFrame
        The metadata table as written.
    """
    random = np.random.default_rng(settings.seed)
    images = folder / "HAM10000_images_part_1"
    images.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    for lesion, diagnosis in enumerate(_diagnoses(settings.num_lesions)):
        traits = _traits(LOOKS[diagnosis], random)
        person = _person(LOOKS[diagnosis], random)
        for _ in range(int(random.choice((1, 2, 3), p=(0.7, 0.2, 0.1)))):
            name = f"ISIC_{len(rows):07d}"
            _save(images / f"{name}.jpg", _lesion(traits, settings, random))
            row = {"lesion_id": f"HAM_{lesion:07d}", "image_id": name, "dx": diagnosis}
            rows.append(row | {"dx_type": DRAWN} | person)
            if progress is not None:
                progress(len(rows))
    table = pd.DataFrame(rows)
    table.to_csv(folder / f"{METADATA}.csv", index=False)
    if settings.num_negatives:
        (folder / "negatives").mkdir(exist_ok=True)
    for index in range(settings.num_negatives):
        _save(folder / "negatives" / f"negative_{index:04d}.jpg", _scratches(settings, random))
        if progress is not None:
            progress(len(rows) + index + 1)
    return table


def is_drawn(catalog: pd.DataFrame) -> bool:
    """Whether a lesion of a catalog was drawn by `write_synthetic`; ``dx_type`` says so."""
    return bool((catalog["dx_type"] == DRAWN).any())


def _diagnoses(num_lesions: int) -> list[str]:
    """Each diagnosis by its share, three lesions at least."""
    counts = {name: max(3, round(LOOKS[name].share * num_lesions)) for name in DIAGNOSES}
    counts["nv"] += num_lesions - sum(counts.values())
    return [name for name, count in counts.items() for _ in range(count)]


def _person(look: Look, random: np.random.Generator) -> dict[str, object]:
    age = 5 * round(float(np.clip(random.normal(look.age, 14), 5, 85)) / 5)
    return {
        "age": "" if random.random() < 0.03 else float(age),
        "sex": random.choice(("male", "female", "unknown"), p=(0.53, 0.44, 0.03)),
        "localization": random.choice((*look.sites, "unknown"), p=_site_odds(len(look.sites))),
    }


def _site_odds(count: int) -> list[float]:
    return [0.95 / count] * count + [0.05]


def _traits(look: Look, random: np.random.Generator) -> Look:
    """One lesion's own traits, drawn around its diagnosis's."""
    tint = random.normal(0, 15) + random.normal(0, 6, 3)  # lighter or darker, hardly another hue
    return Look(
        share=look.share,
        colour=tuple(int(c) for c in np.clip(np.add(look.colour, tint), 20, 235)),  # type: ignore[arg-type]
        border=look.border * float(random.lognormal(0, 0.35)),
        texture=look.texture * float(random.lognormal(0, 0.35)),
        age=look.age,
        sites=look.sites,
    )


def _smooth(size: tuple[int, int], cells: float, random: np.random.Generator) -> Floats:
    """Smooth noise of mean 0 and deviation 1 with about `cells` bumps across the height."""
    height, width = size
    coarse = (max(2, round(cells)), max(2, round(cells * width / height)))
    field = random.standard_normal(coarse).astype(np.float32)
    grown = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((grown - grown.mean()) / (grown.std() + 1e-6), np.float32)


def _skin(settings: SyntheticSettings, random: np.random.Generator) -> Floats:
    """Skin with uneven light and pores, (H, W, 3) in 0..255."""
    size = (settings.height, settings.width)
    tone = np.array((222, 178, 160)) + random.normal(0, 8) + random.normal(0, 4, 3)
    light = 7 * _smooth(size, 3, random) + 2.5 * _smooth(size, 60, random)
    return np.asarray(tone + light[..., np.newaxis], np.float32)  # (H, W, 3)


def _finish(
    canvas: Floats, settings: SyntheticSettings, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Hairs, sensor noise, 8 bits."""
    scale = settings.height / 450
    for _ in range(random.poisson(4)):
        start = random.uniform((0, 0), (settings.width, settings.height))
        angle, bend = random.uniform(0, np.pi), random.normal(0, 0.6)
        along = np.linspace(0, random.uniform(120, 420) * scale, 24)
        turn = angle + bend * along / (300 * scale)
        line = start + np.cumsum(np.c_[np.cos(turn), np.sin(turn)] * (along[1] - along[0]), axis=0)
        shade = tuple(float(value) for value in random.uniform(30, 70) * np.array((1, 0.85, 0.75)))
        thickness = max(1, round(random.uniform(0.8, 2.2) * scale))
        cv2.polylines(canvas, [line.astype(np.int32)], False, shade, thickness, cv2.LINE_AA)
    noisy = canvas + random.standard_normal(canvas.shape, np.float32) * np.float32(NOISE)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _lesion(
    look: Look, settings: SyntheticSettings, random: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """One photograph of a lesion, uint8 (H, W, 3)."""
    height, width = settings.height, settings.width
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    middle = random.normal((height / 2, width / 2), (height / 16, width / 16))
    radius = height * random.uniform(0.2, 0.36)
    down, right = (rows - middle[0]) / random.uniform(0.8, 1.2), columns - middle[1]
    angle = np.arctan2(down, right)
    turn = np.linspace(-np.pi, np.pi, 4 * (height + width))  # finer than the pixels of a border
    wave = np.zeros_like(turn)
    for order in range(2, 12):
        weight, phase = random.normal(0, look.border / order**0.8), random.uniform(0, 2 * np.pi)
        wave += weight * np.cos(order * turn + phase)
    rough = np.interp(angle, turn, wave).astype(np.float32)
    edge = (np.hypot(down, right) / (radius * (1 + rough)) - 1) * np.float32(radius)
    blur = np.float32(height / 45)
    mask = (1 / (1 + np.exp(np.clip(edge / blur, -30, 30))))[..., np.newaxis]  # (H, W, 1)
    size = (height, width)
    pigment = look.texture * (0.6 * _smooth(size, 7, random) + 0.4 * _smooth(size, 40, random))
    inside = np.asarray(look.colour, np.float32) + pigment[..., np.newaxis]
    return _finish(
        np.asarray(_skin(settings, random) * (1 - mask) + inside * mask, np.float32),
        settings,
        random,
    )


def _scratches(settings: SyntheticSettings, random: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Draw a negative: skin with abrasions and the spots they leave, uint8 (H, W, 3)."""
    height, width = settings.height, settings.width
    mask = np.zeros((height, width), np.float32)
    for _ in range(random.integers(2, 6)):
        start = random.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height))
        end = start + random.normal(0, height / 5, 2)
        ends = [tuple(int(value) for value in point) for point in (start, end)]
        cv2.line(mask, *ends, 1.0, max(1, round(random.uniform(3, 14) * height / 450)), cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), height / 110)[..., np.newaxis]
    red = np.array((188, 92, 88), np.float32) + random.normal(0, 12, 3).astype(np.float32)
    skin = _skin(settings, random)
    return _finish(
        np.asarray(skin * (1 - 0.8 * mask) + 0.8 * red * mask, np.float32), settings, random
    )


def _save(path: Path, image: npt.NDArray[np.uint8]) -> None:
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    path.write_bytes(encoded.tobytes())  # cv2.imwrite is silent where the disk is full
