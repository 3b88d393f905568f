"""Sections ``quality``, ``sweep``, ``choose`` and ``resize`` of ``params.yaml``."""

import math
from dataclasses import dataclass, field

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Settings, setting
from slimderm.components.quality.metrics import METRICS

DECISIVE = ("ssim", "bhattacharyya", "haralick_distance", "mse_high")
PAPER_SIZES = ((256, 256), (450, 150), (300, 600), (200, 100), (300, 300))  # (height, width)


@dataclass(frozen=True)
class QualitySettings(Settings):
    """Section ``quality`` of ``params.yaml``.

    ``changed_threshold`` in grey levels; ``low_frequency_radius`` as a share of the Nyquist
    frequency.
    """

    changed_threshold: int = setting(5, low=0, high=254)
    low_frequency_radius: float = setting(0.25, above=0, below=1)


@dataclass(frozen=True)
class SweepSettings(Settings):
    """Section ``sweep`` of ``params.yaml``: how many images are measured.

    ``sampling`` is ``all``, as in the paper, or ``adaptive``: images are drawn in a stratified
    order (`slimderm.components.dataset.strata`) until the choice of k is certain at
    ``confidence``, and at least ``min_images``. ``chunk_size`` images are measured, and kept
    against interruption, at a time.
    """

    sampling: str = setting("all", choices=("all", "adaptive"))
    confidence: float = setting(0.95, above=0.5, below=1)
    min_images: int = setting(128, low=2)
    chunk_size: int = setting(32, low=1)
    seed: int = setting(0, low=0)


@dataclass(frozen=True)
class ChooseSettings(Settings):
    """Section ``choose`` of ``params.yaml``.

    ``rule`` is ``stabilisation`` (the paper's: from the chosen k on, no metric gains much),
    ``fixed`` (take ``k``) or ``fewest_bytes`` (of all options that the storage study tried, the
    one that takes the fewest bytes and meets every floor). ``tolerance`` is the gain, as a share of
    the metric's whole range over k, that counts as nothing. ``floors`` gives metrics the worst mean
    that is permitted, such as ``{psnr: 40, haralick_distance: 5}``.
    """

    rule: str = setting("stabilisation", choices=("stabilisation", "fixed", "fewest_bytes"))
    metrics: tuple[str, ...] = setting(DECISIVE, choices=tuple(METRICS))
    tolerance: float = setting(0.01, above=0, below=1)
    stage: str = setting("after", choices=("before", "after"))
    k: int | None = setting(None, low=1)
    floors: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_floors(self.floors)
        if self.rule == "fewest_bytes" and not self.floors:
            raise ParameterError(
                "floors: received none, expected at least one for the rule fewest_bytes, such as "
                "ssim: 0.95"
            )
        if not self.metrics:
            raise ParameterError(
                f"metrics: received none, expected at least one of {', '.join(METRICS)}"
            )


@dataclass(frozen=True)
class ResizeSettings(Settings):
    """Section ``resize`` of ``params.yaml``: the sizes to compare, and training's input size.

    Sizes are (height, width) in pixels; the paper does not say which number is which. ``rule`` is
    ``fixed`` (take ``size``, the paper's choice) or ``floors`` (of ``sizes`` the one of fewest
    pixels whose mean metrics meet every floor). ``max_images`` are drawn at random.
    """

    sizes: tuple[tuple[int, ...], ...] = field(default=PAPER_SIZES)
    rule: str = setting("fixed", choices=("fixed", "floors"))
    size: tuple[int, ...] = setting((200, 100), low=8)
    floors: dict[str, float] = field(default_factory=dict)
    max_images: int | None = setting(200, low=1)
    seed: int = setting(0, low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, sizes in (("sizes", self.sizes), ("size", (self.size,))):
            for size in sizes:
                if len(size) != 2 or min(size) < 8:
                    raise ParameterError(
                        f"{name}: received {list(size)}, expected height and width of at least 8"
                    )
        if len(set(self.sizes)) < len(self.sizes):
            raise ParameterError(
                f"sizes: received {[list(size) for size in self.sizes]}, expected each size once"
            )
        check_floors(self.floors)
        if self.rule == "floors" and not (self.floors and self.sizes):
            raise ParameterError(
                "floors: received none, or no sizes, expected at least one of each for the rule "
                "floors, such as ssim: 0.9"
            )


def check_floors(floors: dict[str, float]) -> None:
    """Refuse a floor that is no number, or of a metric that there is not.

    Raises
    ------
    ParameterError
        The message lists the metrics there are.
    """
    for metric, floor in floors.items():
        if metric not in METRICS:
            raise ParameterError(
                f"floors: received {metric!r}, expected some of {', '.join(METRICS)}"
            )
        if not math.isfinite(floor):
            raise ParameterError(f"floors: received {metric} {floor}, expected a finite number")
