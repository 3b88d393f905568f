"""One image of the drawn dataset: its random numbers first, its pixels later, in any thread."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from slimderm.components.dataset.settings import SyntheticSettings

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Paint = Callable[[], Pixels]
NOISE = 3.0  # grey levels, standard deviation


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


def _smooth(
    size: tuple[int, int], cells: float, random: np.random.Generator
) -> Callable[[], Floats]:
    """Smooth noise of mean 0 and deviation 1 with about `cells` bumps across the height."""
    height, width = size
    coarse = (max(2, round(cells)), max(2, round(cells * width / height)))
    field = random.standard_normal(coarse).astype(np.float32)

    def grow() -> Floats:
        grown = cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray((grown - grown.mean()) / (grown.std() + 1e-6), np.float32)

    return grow


def _skin(settings: SyntheticSettings, random: np.random.Generator) -> Callable[[], Floats]:
    """Skin with uneven light and pores, (H, W, 3) in 0..255."""
    size = (settings.height, settings.width)
    tone = np.array((222, 178, 160)) + random.normal(0, 8) + random.normal(0, 4, 3)
    coarse, fine = _smooth(size, 3, random), _smooth(size, 60, random)

    def paint() -> Floats:
        light = 7 * coarse() + 2.5 * fine()
        return np.asarray(tone + light[..., np.newaxis], np.float32)  # (H, W, 3)

    return paint


def _hairs(
    settings: SyntheticSettings, random: np.random.Generator
) -> list[tuple[npt.NDArray[np.int32], tuple[float, ...], int]]:
    """Draw the path, shade and thickness of each hair."""
    scale = settings.height / 450
    found = []
    for _ in range(random.poisson(4)):
        start = random.uniform((0, 0), (settings.width, settings.height))
        angle, bend = random.uniform(0, np.pi), random.normal(0, 0.6)
        along = np.linspace(0, random.uniform(120, 420) * scale, 24)
        turn = angle + bend * along / (300 * scale)
        line = start + np.cumsum(np.c_[np.cos(turn), np.sin(turn)] * (along[1] - along[0]), axis=0)
        shade = tuple(float(value) for value in random.uniform(30, 70) * np.array((1, 0.85, 0.75)))
        thickness = max(1, round(random.uniform(0.8, 2.2) * scale))
        found.append((line.astype(np.int32), shade, thickness))
    return found


def _finish(settings: SyntheticSettings, random: np.random.Generator) -> Callable[[Floats], Pixels]:
    """Hairs, sensor noise, 8 bits."""
    hairs = _hairs(settings, random)
    noise = random.standard_normal((settings.height, settings.width, 3), np.float32)

    def finish(canvas: Floats) -> Pixels:
        for line, shade, thickness in hairs:
            cv2.polylines(canvas, [line], False, shade, thickness, cv2.LINE_AA)
        noisy = canvas + noise * np.float32(NOISE)
        return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)

    return finish


def lesion(look: Look, settings: SyntheticSettings, random: np.random.Generator) -> Paint:
    """One photograph of a lesion, uint8 (H, W, 3)."""
    height, width = size = settings.height, settings.width
    middle = random.normal((height / 2, width / 2), (height / 16, width / 16))
    radius = height * random.uniform(0.2, 0.36)
    stretch = random.uniform(0.8, 1.2)
    turn = np.linspace(-np.pi, np.pi, 4 * (height + width))  # finer than the pixels of a border
    wave = np.zeros_like(turn)
    for order in range(2, 12):
        weight, phase = random.normal(0, look.border / order**0.8), random.uniform(0, 2 * np.pi)
        wave += weight * np.cos(order * turn + phase)
    coarse, fine = _smooth(size, 7, random), _smooth(size, 40, random)
    skin, finish = _skin(settings, random), _finish(settings, random)

    def paint() -> Pixels:
        rows, columns = np.mgrid[:height, :width].astype(np.float32)
        down, right = (rows - middle[0]) / stretch, columns - middle[1]
        rough = np.interp(np.arctan2(down, right), turn, wave).astype(np.float32)
        edge = (np.hypot(down, right) / (radius * (1 + rough)) - 1) * np.float32(radius)
        blur = np.float32(height / 45)
        mask = (1 / (1 + np.exp(np.clip(edge / blur, -30, 30))))[..., np.newaxis]  # (H, W, 1)
        pigment = look.texture * (0.6 * coarse() + 0.4 * fine())
        inside = np.asarray(look.colour, np.float32) + pigment[..., np.newaxis]
        return finish(np.asarray(skin() * (1 - mask) + inside * mask, np.float32))

    return paint


def scratches(settings: SyntheticSettings, random: np.random.Generator) -> Paint:
    """Draw a negative: skin with abrasions and the spots they leave, uint8 (H, W, 3)."""
    height, width = settings.height, settings.width
    mask = np.zeros((height, width), np.float32)
    for _ in range(random.integers(2, 6)):
        start = random.uniform((0.2 * width, 0.2 * height), (0.8 * width, 0.8 * height))
        end = start + random.normal(0, height / 5, 2)
        ends = [tuple(int(value) for value in point) for point in (start, end)]
        cv2.line(mask, *ends, 1.0, max(1, round(random.uniform(3, 14) * height / 450)), cv2.LINE_AA)
    red = np.array((188, 92, 88), np.float32) + random.normal(0, 12, 3).astype(np.float32)
    skin, finish = _skin(settings, random), _finish(settings, random)

    def paint() -> Pixels:
        share = 0.8 * cv2.GaussianBlur(mask, (0, 0), height / 110)[..., np.newaxis]
        return finish(np.asarray(skin() * (1 - share) + share * red, np.float32))

    return paint
