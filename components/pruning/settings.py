"""Section ``prune`` of ``params.yaml``."""

from dataclasses import dataclass

from components.errors import ParameterError
from components.pruning.acceptance import ACCEPTANCE, Bars
from components.pruning.widths import THIRD, parse_path
from components.settings import Settings, setting

FACTORS = (50, THIRD, 16.5, 8.25)


@dataclass(frozen=True)
class PruneSettings(Settings):
    """Section ``prune`` of ``params.yaml``; the defaults are the paper's, the acceptance aside.

    ``factors`` are percentages. ``path`` serves the schedule ``path`` and is in R-notation.
    ``validation_bar_lenet5`` replaces ``validation_bar`` for that network. ``refused_start`` says
    what Algorithm 2 does when the unpruned network is refused: ``stop``, or ``prune`` all the same,
    which counts as the first failure.
    """

    schedule: str = setting("algorithm2", choices=("algorithm2", "path"))
    factors: tuple[float, ...] = setting(FACTORS, above=1, below=100)
    max_failures: int = setting(2, low=1)
    refused_start: str = setting("stop", choices=("stop", "prune"))
    acceptance: str = setting("validation", choices=tuple(ACCEPTANCE))
    training_bar: float = setting(0.90, low=0, high=1)
    validation_bar: float = setting(0.80, low=0, high=1)
    validation_bar_lenet5: float = setting(0.75, low=0, high=1)
    test_tolerance: float = setting(0.02, low=0, high=1)
    relative_tolerance: float = setting(0.02, low=0, high=1)
    relative_floor: float = setting(0.5, low=0, high=1)
    path: tuple[str, ...] = ()
    init: str = setting("scratch", choices=("scratch",))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule == "algorithm2" and not self.factors:
            raise ParameterError("factors: received none, expected at least one percentage")
        if self.schedule == "path" and not self.path:
            raise ParameterError("path: received none, expected at least one, such as 'R1: 50%'")
        for text in self.path:
            parse_path(text)

    def bars_for(self, network: str) -> Bars:
        """Bars for one network: the LeNet-5 based one has a lower bar on validation."""
        shallow = network == "lenet5"
        return Bars(
            training=self.training_bar,
            validation=self.validation_bar_lenet5 if shallow else self.validation_bar,
            test_tolerance=self.test_tolerance,
            relative_tolerance=self.relative_tolerance,
            relative_floor=self.relative_floor,
        )
