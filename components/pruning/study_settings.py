"""A study: one network pruned in several ways side by side, everything else being equal."""

from dataclasses import dataclass

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Settings, setting
from slimderm.components.pruning.method import CRITERIA, INITS, SCOPES
from slimderm.components.pruning.schedules.table import STUDY_SCHEDULES

STUDY_NETWORKS = ("lenet5", "alexnet", "custom1", "custom2", "vgg16", "densenet169")
MASKS = "masks"


@dataclass(frozen=True)
class Arm:
    """One way to prune; its name in ``params.yaml`` is its words, such as ``l1 inherit global``."""

    criterion: str = "uninformed"
    init: str = "scratch"
    scope: str = "local"
    masks: bool = False

    @property
    def name(self) -> str:
        """What it is called in tables."""
        if self.masks:
            return f"masks {self.scope}"
        if self.criterion == "uninformed" and self.init == "scratch":
            return "paper" if self.scope == "local" else f"paper {self.scope}"
        return f"{self.criterion} {self.init} {self.scope}"


def parse_arm(text: str) -> Arm:
    """Read an arm from its words, in any order; ``paper`` is uninformed and from scratch.

    Raises
    ------
    ParameterError
        For a word that is no criterion, init or scope, two of a kind, or masks from scratch.
    """
    values: dict[str, str | bool] = {}
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
                f"{', '.join(INITS)}; {', '.join(SCOPES)}; {MASKS}; paper"
            )
    if values.get("masks") and values.setdefault("init", "inherit") == "scratch":
        raise ParameterError(
            f"arms: received {text!r}, expected masks to inherit: they hide trained weights"
        )
    return Arm(**values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class StudySettings(Settings):
    """One entry of the section ``studies`` of ``params.yaml``.

    Every arm is run on every variant of the dataset with every seed. With schedule ``path`` each of
    the rising ``ratios`` is cut from the one before; with the others each ratio starts from the
    unpruned network: ``one_shot``, ``iterative`` in ``num_steps`` cuts, ``layerwise`` with layers
    in ``num_steps`` parts, or one by one where that is 0. A global arm is cut down to the
    parameters that the same ratio of every layer would leave, so that points compare. An inheriting
    arm gets ``fine_tune_epochs`` for each ratio, shared among its ``num_steps`` cuts (one by one
    each layer's cut gets them all); a scratch arm ``epochs`` for each cut. ``max_train`` limits the
    images trained on; ``weights`` is a file of ImageNet weights and ``cifar`` the folder of
    CIFAR-100's files, for VGG16 and DenseNet169. With ``similarity`` the networks of the first seed
    are compared layer by layer.
    """

    network: str = setting("lenet5", choices=STUDY_NETWORKS)
    variants: tuple[str, ...] = setting(
        ("compressed",), choices=("original", "reencoded", "compressed")
    )
    seeds: tuple[int, ...] = setting((0,), low=0)
    arms: tuple[str, ...] = ("paper",)
    schedules: tuple[str, ...] = setting(("path",), choices=STUDY_SCHEDULES)
    ratios: tuple[float, ...] = setting((0.5, 0.75), above=0, below=1)
    num_steps: int = setting(3, low=0)
    epochs: int = setting(75, low=1)
    learning_rate: float = setting(0.002, above=0)
    fine_tune_epochs: int = setting(10, low=1)
    fine_tune_learning_rate: float = setting(0.0005, above=0)
    max_train: int | None = setting(None, low=1)
    weights: str | None = None
    cifar: str | None = None
    similarity: bool = setting(False, choices=(True, False))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("variants", "seeds", "arms", "schedules", "ratios"):
            if not getattr(self, name):
                raise ParameterError(f"{name}: received none, expected at least one")
        if list(self.ratios) != sorted(set(self.ratios)):
            raise ParameterError(f"ratios: received {self.ratios}, expected rising ones")
        names = [parse_arm(text).name for text in self.arms]
        if len(set(names)) < len(names):
            raise ParameterError(f"arms: received {self.arms}, expected each way to prune once")

    def epochs_per_cut(self, schedule: str, arm: Arm) -> int:
        """Return the epochs after each cut; with ``num_steps`` schedules train equally long."""
        if arm.init == "scratch":
            return self.epochs
        cuts = self.num_steps if schedule in ("iterative", "layerwise") and self.num_steps else 1
        return max(1, self.fine_tune_epochs // cuts)
