"""How networks are pruned, as plain values: reading them needs no Keras."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from fractions import Fraction
from numbers import Real

from slimderm.components.common.checks import check_name, check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.criteria import table as criteria
from slimderm.components.pruning.latency_table import LatencyTable
from slimderm.components.pruning.names import AGGREGATES, INITS, KINDS, SCOPES

CRITERIA = criteria.CRITERIA
Ratio = float | Fraction


def check_ratio(ratio: Ratio, *, name: str = "ratio", where: str = "") -> None:
    """Refuse a ratio outside (0, 1), NaN included.

    Raises
    ------
    ParameterError
        For such a ratio; ``where`` stands behind it.
    """
    if isinstance(ratio, bool) or not isinstance(ratio, Real) or not 0 < ratio < 1:
        raise ParameterError(
            f"{name}: received {ratio!r}{where}, expected a share of channels, above 0 and below 1"
        )


def left_by(ratio: Ratio) -> Fraction:
    """Return the share that a ratio leaves, exactly."""
    return 1 - Fraction(str(ratio))


def matching(names: Iterable[str], pattern: str, kind: str) -> list[str]:
    """Return the names that a pattern fits: ``*`` and ``?`` stand for any characters.

    Raises
    ------
    ParameterError
        If it fits none; `kind` says what the names are of.
    """
    known = list(names)
    found = [name for name in known if fnmatchcase(name, pattern.replace("[", "[[]"))]
    if not found:
        raise ParameterError(
            f"layer: received {pattern!r}, which matches no {kind}, expected some of "
            f"{', '.join(known)}"
        )
    return found


@dataclass(frozen=True)
class Limits:
    """What pruning must leave alone.

    Attributes
    ----------
    keep : sequence of str
        Layers that keep all channels, by path; ``*`` and ``?`` stand for any characters. A layer
        that makes no channels but holds weights for them, such as batch normalisation, keeps those
        channels.
    floors : mapping
        Layer, as in ``keep``, to the channels it must be left, rounded up to the multiple; 1 for
        all others.
    multiple : int
        Widths are rounded to the nearest multiple of it: never above the layer's own width, never
        below one multiple. Where layers are coupled in part, each part is rounded.
    only : sequence of str, optional
        Layers that may shrink, as in ``keep``; all where not given.
    max_ratio : float, optional
        Largest share of its channels that a layer may lose, in (0, 1). It keeps a global scope from
        emptying a few layers.
    """

    keep: Sequence[str] = ()
    floors: Mapping[str, int] = field(default_factory=dict)
    multiple: int = 1
    only: Sequence[str] | None = None
    max_ratio: Ratio | None = None

    def __post_init__(self) -> None:
        floors = (("floors", floor, f" for {layer}") for layer, floor in self.floors.items())
        for name, value, where in (("multiple", self.multiple, ""), *floors):
            check_whole(name, value, where=where)
        for name, layers in (("keep", self.keep), ("only", self.only)):
            if isinstance(layers, str):
                raise ParameterError(f"{name}: received {layers!r}, expected a list of layers")
        if self.max_ratio is not None:
            check_ratio(self.max_ratio, name="max_ratio")


@dataclass(frozen=True)
class Budget:
    """What a pruned model may cost at most.

    ``kind`` is one of `KINDS`: parameters; multiply-accumulates of one input; bytes of the saved
    ``.keras`` file without an optimizer; median milliseconds for one input on this machine, or, by
    a ``table`` of latencies, on the machine where that was measured.
    """

    kind: str
    limit: float
    table: LatencyTable | None = None

    def __post_init__(self) -> None:
        check_name("budget", self.kind, KINDS)
        if self.table is not None and self.kind != "latency_ms":
            raise ParameterError(
                f"budget: received {self.kind} with a table of latencies, expected latency_ms"
            )
        number = isinstance(self.limit, Real) and not isinstance(self.limit, bool)
        if not number or not 0 < self.limit < float("inf"):
            raise ParameterError(
                f"budget: received {self.limit!r} {self.kind}, expected a positive number"
            )


@dataclass(frozen=True)
class PruningStep:
    """What one step takes away; exactly one of ``percent``, ``total`` and ``budget`` is given.

    Attributes
    ----------
    percent : float, optional
        Of the parent's channels, above 0 and below 100.
    total : float, optional
        Share of the *unpruned* network's channels that is gone after this step, in (0, 1).
    budget : Budget, optional
        What the network may cost after this step.
    layers : tuple of str, optional
        Layers that shrink; all where not given.
    """

    percent: float | None = None
    total: float | None = None
    budget: Budget | None = None
    layers: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        given = [self.percent, self.total, self.budget]
        if sum(value is not None for value in given) != 1:
            raise ParameterError(
                f"pruning step: received percent {self.percent}, total {self.total} and budget "
                f"{self.budget}, expected exactly one of them"
            )


@dataclass(frozen=True)
class PruningMethod:
    """How pruning steps choose channels and weights; the defaults are the paper's.

    Attributes
    ----------
    criterion, scope, aggregate, limits, seed
        As for `slimderm.components.pruning.pruner.prune`.
    init : str
        ``scratch``: what is left gets fresh weights; ``inherit``: it keeps its own.
    masks : bool
        Mask single weights by magnitude; nothing shrinks then, and the criterion is not asked.
    """

    criterion: str = "uninformed"
    scope: str = "local"
    aggregate: str = "mean"
    init: str = "scratch"
    masks: bool = False
    limits: Limits = Limits()
    seed: int = 0

    def __post_init__(self) -> None:
        criteria.get(self.criterion)
        for name, value, names in (
            ("scope", self.scope, SCOPES),
            ("aggregate", self.aggregate, AGGREGATES),
            ("init", self.init, INITS),
        ):
            check_name(name, value, names)
        if self.masks and self.scope == "isomorphic":
            raise ParameterError(
                "scope: received isomorphic with masks, expected local or global; masks are of "
                "single weights"
            )

    @property
    def scores_matter(self) -> bool:
        """Whether scores of channels change the result.

        They do not where what is left gets fresh weights and each layer loses the same ratio.
        """
        return not self.masks and (self.init == "inherit" or self.scope != "local")

    @property
    def needs_data(self) -> bool:
        """Whether the criterion looks at data, and its scores matter."""
        return self.scores_matter and criteria.get(self.criterion).needs_data

    def in_effect(self) -> "PruningMethod":
        """Return the method whose result is the same, whatever was said that has no effect."""
        if self.scores_matter:
            return self
        return replace(self, criterion="uninformed", aggregate="mean")
