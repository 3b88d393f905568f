"""A study: one network pruned by several methods side by side, everything else equal."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import (
    Count,
    NonEmpty,
    OneOf,
    Positive,
    Ratio,
    Seed,
    settings,
)
from slimderm.components.dataset.variants import COMPRESSED, VARIANTS
from slimderm.components.pruning.method import CRITERIA, PruningMethod
from slimderm.components.pruning.names import INITS, SCOPES
from slimderm.components.pruning.schedules.table import SCHEDULES, STUDY_SCHEDULES
from slimderm.components.training.networks import BACKBONES, TRAINABLE

MASKS = "masks"
CONTROL = "control"
UNPRUNED = "unpruned"  # in the place of an arm's name


@dataclass(frozen=True)
class Arm:
    """One pruning method, named by its words in ``params.yaml``, such as ``l1 inherit global``."""

    criterion: str = "uninformed"
    init: str = "scratch"
    scope: str = "local"
    masks: bool = False
    control: bool = False

    @property
    def name(self) -> str:
        """What it is called in tables."""
        if self.control:
            return CONTROL
        if self.masks:
            return f"masks {self.scope}"
        if self.criterion == "uninformed" and self.init == "scratch":
            return "paper" if self.scope == "local" else f"paper {self.scope}"
        return f"{self.criterion} {self.init} {self.scope}"


def parse_arm(text: str) -> Arm:
    """Read an arm from its words, in any order; ``paper`` is uninformed and from scratch.

    ``control``, alone, is the unpruned network, trained on where arms that inherit are fine-tuned.

    Raises
    ------
    ParameterError
        For a word that is no criterion, init or scope, two of a kind, masks from scratch, control
        with other words, or a criterion that has no effect with the others.
    """
    if CONTROL in text.split():
        if text.split() != [CONTROL]:
            raise ParameterError(
                f"arms: received {text!r}, expected {CONTROL} alone: nothing is pruned in it"
            )
        return Arm(init="inherit", control=True)
    values: dict[str, Any] = {}
    for word in text.split():
        kinds = {"criterion": CRITERIA, "init": INITS, "scope": SCOPES}
        kind = next((kind for kind, names in kinds.items() if word in names), None)
        if kind in values:
            raise ParameterError(
                f"arms: received {text!r}, expected one {kind}, not {values[kind]} and {word}"
            )
        if word == MASKS:
            values["masks"] = True
        elif kind is not None:
            values[kind] = word
        elif word != "paper":
            raise ParameterError(
                f"arms: received {word!r} in {text!r}, expected words of {', '.join(CRITERIA)}; "
                f"{', '.join(INITS)}; {', '.join(SCOPES)}; {MASKS}; paper; or {CONTROL}"
            )
    if values.get("masks") and values.setdefault("init", "inherit") == "scratch":
        raise ParameterError(
            f"arms: received {text!r}, expected masks to inherit: they hide trained weights"
        )
    arm = Arm(**values)
    method = PruningMethod(arm.criterion, arm.scope, init=arm.init, masks=arm.masks)
    if arm.criterion != "uninformed" and not method.scores_matter:
        why = "masks go by magnitude" if arm.masks else "scratch and local, as paper, ask no scores"
        raise ParameterError(
            f"arms: received {text!r}, whose {arm.criterion} has no effect ({why}), expected "
            "inherit or global beside it, or no criterion"
        )
    return arm


def _check_arm(text: str) -> str:
    parse_arm(text)
    return text


@settings
class StudySettings:
    """One entry of the section studies: every arm on every variant with every seed.

    With schedule ``path`` each of the rising ratios is reached from the one before; with the others
    each ratio starts from the unpruned network. A global arm is pruned to the parameters that the
    same ratio of every layer would leave, so that points compare.
    """

    network: Annotated[str, OneOf(TRAINABLE)] = Field(
        default="lenet5", description="Which network is pruned."
    )
    variants: NonEmpty[Annotated[str, OneOf(VARIANTS)]] = Field(
        default=(COMPRESSED,),
        description="Of the images. "
        + "; ".join(f"{name}: {what}" for name, what in VARIANTS.items())
        + ".",
    )
    seeds: NonEmpty[Seed] = Field(default=(0,), description="Each arm is trained once with each.")
    arms: NonEmpty[Annotated[str, AfterValidator(_check_arm)]] = Field(
        default=("paper",),
        description="Each by its criterion, init and scope, such as l1 inherit global; or masks; "
        "or control: the unpruned network, trained on as long as those that inherit.",
    )
    schedules: NonEmpty[Annotated[str, OneOf(STUDY_SCHEDULES)]] = Field(
        default=("path",), description="Which pruning step comes next."
    )
    ratios: NonEmpty[Ratio] = Field(
        default=(0.5, 0.75), description="Shares of the channels that are removed, rising."
    )
    num_steps: Annotated[int, Field(ge=0)] = Field(
        default=3,
        description="Steps of iterative, parts of layerwise; 0: layerwise goes layer by layer.",
    )
    epochs: Count = Field(
        default=75,
        description="Of the unpruned network, and after each step of an arm from scratch.",
    )
    learning_rate: Positive = Field(
        default=0.002, description="Where training starts from scratch."
    )
    fine_tune_epochs: Count = Field(
        default=10,
        description="For each ratio of an arm that inherits, shared among its steps.",
    )
    fine_tune_learning_rate: Positive = Field(
        default=0.0005, description="Where weights are inherited."
    )
    max_train: Count | None = Field(default=None, description="Training images taken; null: all.")
    weights: str | None = Field(
        default=None, description=f"A file of ImageNet weights, for {', '.join(BACKBONES)}."
    )
    cifar: str | None = Field(
        default=None, description="The folder of CIFAR-100's files, in place of the dataset."
    )
    similarity: bool = Field(
        default=False,
        description="Whether the networks of the first seed are compared layer by layer.",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if list(self.ratios) != sorted(set(self.ratios)):
            raise ParameterError(f"ratios: received {list(self.ratios)}, expected rising ones")
        names = [parse_arm(text).name for text in self.arms]
        if len(set(names)) < len(names):
            raise ParameterError(f"arms: received {list(self.arms)}, expected each arm once")
        return self

    def epochs_per_step(self, schedule: str, arm: Arm) -> int:
        """Return the epochs after each pruning step; all schedules train equally long."""
        if arm.init == "scratch":
            return self.epochs
        steps = self.num_steps if SCHEDULES[schedule].several_steps and self.num_steps else 1
        return max(1, self.fine_tune_epochs // steps)
