"""Section ``prune`` of ``params.yaml``."""

from dataclasses import dataclass

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Settings, setting
from slimderm.components.pruning.acceptance import ACCEPTANCE, Thresholds
from slimderm.components.pruning.method import (
    AGGREGATES,
    CRITERIA,
    INITS,
    SCOPES,
    Budget,
    Limits,
    PruningMethod,
)
from slimderm.components.pruning.schedules.iterative import SPACINGS
from slimderm.components.pruning.schedules.table import SCHEDULES
from slimderm.components.pruning.schedules.widths import FACTORS, parse_path


@dataclass(frozen=True)
class PruneSettings(Settings):
    """Section ``prune`` of ``params.yaml``; the defaults are the paper's, the acceptance aside.

    ``factors`` are percentages; Algorithm 2 ends after ``max_failures`` refusals in a row, or after
    ``max_prunings`` networks where that is given. ``path`` serves the schedule ``path`` and is in
    R-notation. ``ratio`` serves ``one_shot``, ``iterative`` and ``layerwise``, ``num_steps`` and
    ``spacing`` serve ``iterative``; ``budget`` (one kind and its limit) takes the ratio's place in
    ``one_shot``. ``criterion``, ``scope`` and ``aggregate`` say which channels go; ``keep``,
    ``floors`` and ``multiple`` which may not, beside those that the paper leaves alone. With
    ``init: inherit`` what is left keeps its weights and is trained for ``fine_tune_epochs`` at
    ``fine_tune_learning_rate``, which are training's own where not given; with ``scratch`` it
    starts anew. Criteria that look at data see ``data_batches`` batches of the training part.
    ``validation_threshold_lenet5`` replaces ``validation_threshold`` for that network.
    ``refused_start`` says what Algorithm 2 does when the unpruned network is refused: ``stop``, or
    ``prune`` all the same, which counts as the first failure.
    """

    schedule: str = setting("algorithm2", choices=tuple(SCHEDULES))
    factors: tuple[float, ...] = setting(FACTORS, above=1, below=100)
    max_failures: int = setting(2, low=1)
    max_prunings: int | None = setting(None, low=1)
    refused_start: str = setting("stop", choices=("stop", "prune"))
    acceptance: str = setting("validation", choices=tuple(ACCEPTANCE))
    training_threshold: float = setting(0.90, low=0, high=1)
    validation_threshold: float = setting(0.80, low=0, high=1)
    validation_threshold_lenet5: float = setting(0.75, low=0, high=1)
    test_tolerance: float = setting(0.02, low=0, high=1)
    relative_tolerance: float = setting(0.02, low=0, high=1)
    relative_floor: float = setting(0.5, low=0, high=1)
    path: tuple[str, ...] = ()
    ratio: float = setting(0.5, above=0, below=1)
    num_steps: int = setting(3, low=1)
    spacing: str = setting("geometric", choices=tuple(SPACINGS))
    budget: dict[str, float] = setting({})
    criterion: str = setting("uninformed", choices=CRITERIA)
    scope: str = setting("local", choices=SCOPES)
    aggregate: str = setting("mean", choices=AGGREGATES)
    keep: tuple[str, ...] = ()
    floors: dict[str, int] = setting({})
    multiple: int = setting(1, low=1)
    init: str = setting("scratch", choices=INITS)
    fine_tune_epochs: int | None = setting(None, low=1)
    fine_tune_learning_rate: float | None = setting(None, above=0)
    data_batches: int = setting(8, low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.schedule == "algorithm2" and not self.factors:
            raise ParameterError("factors: received none, expected at least one percentage")
        if self.schedule == "path" and not self.path:
            raise ParameterError("path: received none, expected at least one, such as 'R1: 50%'")
        for text in self.path:
            parse_path(text)
        if self.budget and (self.schedule != "one_shot" or len(self.budget) > 1):
            raise ParameterError(
                f"budget: received {self.budget} with schedule {self.schedule}, expected one kind "
                "with schedule one_shot"
            )
        self.target()
        self.recipe((), 0)

    def target(self) -> Budget | None:
        """Return the budget, where there is one."""
        return next((Budget(kind, limit) for kind, limit in self.budget.items()), None)

    def recipe(self, fixed: tuple[str, ...], seed: int) -> PruningMethod:
        """Return how cuts are made in a network some of whose layers stay as they are."""
        return PruningMethod(
            criterion=self.criterion,
            scope=self.scope,
            aggregate=self.aggregate,
            init=self.init,
            limits=Limits((*fixed, *self.keep), self.floors, self.multiple),
            seed=seed,
        )

    def thresholds_for(self, network: str) -> Thresholds:
        """Thresholds for one network: the LeNet-5 based one has a lower bar on validation."""
        shallow = network == "lenet5"
        return Thresholds(
            training=self.training_threshold,
            validation=self.validation_threshold_lenet5 if shallow else self.validation_threshold,
            test_tolerance=self.test_tolerance,
            relative_tolerance=self.relative_tolerance,
            relative_floor=self.relative_floor,
        )
