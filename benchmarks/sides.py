"""The three sides that benchmarks/sweep.py compares, and the clock of their parts."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import reference
from slimderm.components.compression import codecs
from slimderm.components.compression.svd import decompose
from slimderm.components.dataset.images import decode_image
from slimderm.components.quality.measure import Reference
from slimderm.components.quality.settings import QualitySettings

SETTINGS = QualitySettings()
JPEG = codecs.get("jpeg")
QUALITY = 95


class Clock:
    """Seconds by name of the part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Add what the block takes to `part`."""
        start = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - start

    @property
    def total(self) -> float:
        """Seconds of all parts."""
        return sum(self.seconds.values())


def naive(path: Path, ranks: Sequence[int], clock: Clock) -> None:
    """Decompose for each k."""
    with clock("decode"):
        image = decode_image(path.read_bytes())
    for k in ranks:
        with clock("decompose"):
            slim = reference.truncate(image, k)
        with clock("metrics"):
            reference.compare(image, slim)
        with clock("encode"):
            JPEG.encode(slim, QUALITY)


def one_svd(path: Path, ranks: Sequence[int], clock: Clock) -> None:
    """Decompose once."""
    with clock("decode"):
        image = decode_image(path.read_bytes())
    truncations = reference.truncations(image, ranks)
    for _ in ranks:
        with clock("decompose"):
            slim = next(truncations)
        with clock("metrics"):
            reference.compare(image, slim)
        with clock("encode"):
            JPEG.encode(slim, QUALITY)


def engine(path: Path, ranks: Sequence[int], clock: Clock) -> None:
    """Do the same by SlimDerm's components."""
    with clock("decode"):
        image = decode_image(path.read_bytes())
    with clock("decompose"):
        decomposition = decompose(image)
    with clock("metrics"):
        original = Reference(image, SETTINGS)
    truncations = decomposition.truncations(ranks)
    for _ in ranks:
        with clock("truncate"):
            _, slim = next(truncations)
        with clock("metrics"):
            original.compare(slim)
        with clock("encode"):
            JPEG.encode(slim, QUALITY)


SIDES: dict[str, Callable[[Path, Sequence[int], Clock], None]] = {
    "naive": naive,
    "one SVD": one_svd,
    "SlimDerm": engine,
}
