"""Section ``prune`` of ``params.yaml``."""

from dataclasses import asdict, fields
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import (
    Confidence,
    Count,
    OneOf,
    Positive,
    Ratio,
    Tolerance,
    settings,
)
from slimderm.components.evaluation.noninferiority import MARGINS
from slimderm.components.evaluation.power import DISCORDANCE
from slimderm.components.pruning.acceptance import ACCEPTANCE
from slimderm.components.pruning.effects import ruled_out
from slimderm.components.pruning.method import (
    CRITERIA,
    Budget,
    Limits,
    PruningMethod,
)
from slimderm.components.pruning.names import AGGREGATES, INITS, KINDS, SCOPES
from slimderm.components.pruning.schedules.base import ScheduleSettings
from slimderm.components.pruning.schedules.iterative import SPACINGS
from slimderm.components.pruning.schedules.table import SCHEDULES
from slimderm.components.pruning.verdict import Demands, Thresholds
from slimderm.components.pruning.widths import FACTORS, parse_path
from slimderm.components.training.networks import NETWORKS

Percentage = Annotated[float, Field(gt=1, lt=100)]


def _check_path(text: str) -> str:
    parse_path(text)
    return text


@settings
class PruneSettings:
    """How networks are pruned; the defaults are the paper's, the acceptance aside."""

    schedule: Annotated[str, OneOf(SCHEDULES)] = Field(
        default="algorithm2",
        description="Which pruning step comes next; algorithm2 is the paper's.",
    )
    factors: tuple[Percentage, ...] = Field(
        default=FACTORS,
        description="For algorithm2: percentages of channels that a step removes, in order.",
    )
    max_failures: Count = Field(
        default=2, description="For algorithm2: refused pruned networks in a row that end it."
    )
    max_prunings: Count | None = Field(
        default=None,
        description="For algorithm2: pruned networks in all; null: until it ends by itself.",
    )
    refused_start: Literal["stop", "prune"] = Field(
        default="stop",
        description="For algorithm2, if the unpruned network is refused: stop, or prune it.",
    )
    acceptance: Annotated[str, OneOf(ACCEPTANCE)] = Field(
        default="noninferior",
        description="The rule that accepts a pruned network; paper also judges on the test part.",
    )
    balanced_accuracy_margin: Ratio = Field(
        default=MARGINS["balanced_accuracy"],
        description="For noninferior: how much worse than the unpruned network one may be.",
    )
    melanoma_sensitivity_margin: Ratio = Field(
        default=MARGINS["melanoma_sensitivity"],
        description="For noninferior: the same for the sensitivity for melanoma.",
    )
    confidence: Confidence = Field(
        default=0.95,
        description="For noninferior: of all verdicts on one network's prunings together.",
    )
    max_seeds: Count = Field(
        default=3,
        description="For noninferior: training seeds tried while the verdict is inconclusive.",
    )
    discordance: Ratio = Field(
        default=DISCORDANCE,
        description="Share of images that one of two equal networks alone has right; the power "
        "that is told at the start is computed from it.",
    )
    training_threshold: Tolerance = Field(
        default=0.90, description="Accuracy and precision that training must reach."
    )
    validation_threshold: Tolerance = Field(
        default=0.80, description="Accuracy and precision that validation must reach."
    )
    validation_threshold_lenet5: Tolerance = Field(
        default=0.75, description="Replaces validation_threshold for shallow networks, as lenet5."
    )
    test_tolerance: Tolerance = Field(
        default=0.02,
        description="For the rule paper: what test may lose against the unpruned network.",
    )
    relative_tolerance: Tolerance = Field(
        default=0.02,
        description="For the rule relative: what a network that misses a threshold may lose.",
    )
    relative_floor: Tolerance = Field(
        default=0.5, description="For the rule relative: no threshold is lowered below it."
    )
    path: tuple[Annotated[str, AfterValidator(_check_path)], ...] = Field(
        default=(),
        description="For the schedule path: steps in the paper's notation, such as R1..R5: 50%.",
    )
    ratio: Ratio = Field(
        default=0.5,
        description="For one_shot, iterative and layerwise: the share of channels that is removed.",
    )
    num_steps: Count = Field(default=3, description="For iterative: the number of steps.")
    spacing: Annotated[str, OneOf(SPACINGS)] = Field(
        default="geometric", description="For iterative: how the ratio is spread over the steps."
    )
    budget: dict[Annotated[str, OneOf(KINDS)], Positive] = Field(
        default={},
        max_length=1,
        description="For one_shot, in place of ratio: a limit, such as {parameters: 100000}.",
    )
    criterion: Annotated[str, OneOf(CRITERIA)] = Field(
        default="uninformed",
        description="Which channels go first; uninformed is the paper's. For inherit or not local.",
    )
    scope: Annotated[str, OneOf(SCOPES)] = Field(
        default="local",
        description="local: the same ratio of each layer; global: one threshold over all layers; "
        "isomorphic: one for all layers that are alike.",
    )
    aggregate: Annotated[str, OneOf(AGGREGATES)] = Field(
        default="mean", description="How the scores of coupled channels become one."
    )
    keep: tuple[str, ...] = Field(
        default=(),
        description="Layers left whole, beside the paper's tail, head and metadata; * is any text.",
    )
    floors: dict[str, Count] = Field(
        default={}, description="Layer: the channels that it must keep."
    )
    multiple: Count = Field(default=1, description="Widths are rounded to a multiple of it.")
    init: Annotated[str, OneOf(INITS)] = Field(
        default="scratch",
        description="scratch, the paper's: what is left gets fresh weights; inherit: its own.",
    )
    fine_tune_epochs: Count | None = Field(
        default=None, description="For inherit; null: as many as train.epochs."
    )
    fine_tune_learning_rate: Positive | None = Field(
        default=None, description="For inherit; null: train.learning_rate."
    )
    data_batches: Count = Field(
        default=8,
        description="Batches of the training part that a criterion which looks at data sees.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        entry = SCHEDULES[self.schedule]
        for name, expected in entry.needs.items():
            if not getattr(self, name):
                raise ParameterError(f"{name}: received none, expected {expected}")
        if self.budget and not entry.takes_budget:
            able = " or ".join(name for name, other in SCHEDULES.items() if other.takes_budget)
            raise ParameterError(
                f"budget: received {self.budget} with schedule {self.schedule}, expected schedule "
                f"{able}; take the budget out, or set the schedule"
            )
        if self.acceptance == "noninferior" and self.refused_start == "prune":
            raise ParameterError(
                "refused_start: received prune with acceptance noninferior, expected stop; an "
                "unpruned network at chance is no reference"
            )
        if self.criterion != "uninformed" and "criterion" in ruled_out(self):
            raise ParameterError(
                f"criterion: received {self.criterion} with {ruled_out(self)['criterion']}, under "
                "which every criterion gives the same network; expected init inherit or a "
                "scope other than local, else the criterion uninformed"
            )
        return self

    def in_effect(self) -> dict[str, Any]:
        """Return the parameters that have an effect together."""
        return {name: value for name, value in asdict(self).items() if name not in ruled_out(self)}

    def without_effect(self) -> list[str]:
        """Return a sentence for each parameter that is set and has no effect with the others."""
        usual = PruneSettings()
        return [
            f"prune.{name} has no effect with {reason}"
            for name, reason in sorted(ruled_out(self).items())
            if getattr(self, name) != getattr(usual, name)
        ]

    @property
    def tests_each_step(self) -> bool:
        """Whether each step is judged on the test part, which else waits for the choice."""
        rule, schedule = ACCEPTANCE[self.acceptance], SCHEDULES[self.schedule]
        return rule.needs_test or schedule.tests_each_step

    def for_schedule(self) -> ScheduleSettings:
        """Return what schedules read: every setting of theirs that stands in this section."""
        own = {field.name for field in fields(ScheduleSettings)}
        values = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name in own
        }
        return ScheduleSettings(**values | {"budget": self.target()})

    def target(self) -> Budget | None:
        """Return the budget, where there is one."""
        return next((Budget(kind, limit) for kind, limit in self.budget.items()), None)

    def method(self, fixed: tuple[str, ...], seed: int) -> PruningMethod:
        """Return how a network is pruned some of whose layers stay as they are."""
        return PruningMethod(
            criterion=self.criterion,
            scope=self.scope,
            aggregate=self.aggregate,
            init=self.init,
            limits=Limits((*fixed, *self.keep), self.floors, self.multiple),
            seed=seed,
        )

    def demands(self, *, num_samples: int, seed: int) -> Demands:
        """Return what the rule noninferior demands, its error divided over the branches."""
        return Demands(
            margins={
                "balanced_accuracy": self.balanced_accuracy_margin,
                "melanoma_sensitivity": self.melanoma_sensitivity_margin,
            },
            confidence=self.confidence,
            max_seeds=self.max_seeds,
            num_branches=SCHEDULES[self.schedule].num_branches(self.for_schedule()),
            num_samples=num_samples,
            seed=seed,
        )

    def thresholds_for(self, network: str) -> Thresholds:
        """Return one network's thresholds: a shallow one's is lower on validation."""
        shallow = network in NETWORKS and NETWORKS[network].shallow
        return Thresholds(
            training=self.training_threshold,
            validation=self.validation_threshold_lenet5 if shallow else self.validation_threshold,
            test_tolerance=self.test_tolerance,
            relative_tolerance=self.relative_tolerance,
            relative_floor=self.relative_floor,
        )
