"""A small dataset in HAM10000's layout, drawn by a program: for the demo and the tests.

A lesion is a blob on skin: its class decides how its colour, the roughness of its border and its
texture are distributed, and the distributions overlap, so that a network has something to learn and
something to get wrong. Noise and hairs are the same for all classes.
"""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from slimderm.components.dataset.drawn import Look, Paint, lesion, scratches
from slimderm.components.dataset.labels import DIAGNOSES
from slimderm.components.dataset.layouts import METADATA
from slimderm.components.dataset.settings import SyntheticSettings

QUALITY = 98  # of the JPEG files, as HAM10000's own
THREADS = 2  # more gain little: the random numbers are drawn one after the other
DRAWN = "synthetic"  # dx_type of what is drawn; HAM10000's own say how a diagnosis was confirmed

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
    images, negatives = folder / "HAM10000_images_part_1", folder / "negatives"
    rows: list[dict[str, object]] = []

    def drawn() -> Iterable[tuple[Path, Paint]]:
        for number, diagnosis in enumerate(_diagnoses(settings.num_lesions)):
            traits = _traits(LOOKS[diagnosis], random)
            person = _person(LOOKS[diagnosis], random)
            for _ in range(int(random.choice((1, 2, 3), p=(0.7, 0.2, 0.1)))):
                name = f"ISIC_{len(rows):07d}"
                row = {"lesion_id": f"HAM_{number:07d}", "image_id": name, "dx": diagnosis}
                rows.append(row | {"dx_type": DRAWN} | person)
                yield images / f"{name}.jpg", lesion(traits, settings, random)
        for index in range(settings.num_negatives):
            yield negatives / f"negative_{index:04d}.jpg", scratches(settings, random)

    images.mkdir(parents=True, exist_ok=True)
    if settings.num_negatives:
        negatives.mkdir(exist_ok=True)
    _save_all(drawn(), progress or (lambda _: None))
    table = pd.DataFrame(rows)
    table.to_csv(folder / f"{METADATA}.csv", index=False)
    return table


def _save_all(drawn: Iterable[tuple[Path, Paint]], progress: Callable[[int], object]) -> None:
    """Paint and write images in two threads, while the next one's random numbers are drawn."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        number = 0
        for path, paint in drawn:
            waiting.append(pool.submit(_save, path, paint))
            if len(waiting) > 2 * THREADS:
                waiting.popleft().result()
                progress(number := number + 1)
        for future in waiting:
            future.result()
            progress(number := number + 1)


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


def _save(path: Path, paint: Paint) -> None:
    pixels = paint()[..., ::-1]
    encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    path.write_bytes(encoded.tobytes())  # cv2.imwrite is silent where the disk is full
