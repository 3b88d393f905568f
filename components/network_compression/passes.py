"""What every pass has in common: a model in, a smaller model and a report out."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, ClassVar

import keras

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import check_model, layers_by_path
from slimderm.components.model_graph.cost import change, multiply_accumulates
from slimderm.components.network_compression.random_code import RandomCode
from slimderm.components.pruning.method import matching

Batches = Iterable[tuple[Any, Any]]
# Trains a model in place: compiles it, fits it, leaves it with the weights to keep.
FineTune = Callable[[keras.Model], None]


class Order(IntEnum):
    """What a pass changes; one that changes less may not be followed by one that changes more."""

    SHAPES = 0  # layers and their sizes; all weights may change
    ZEROS = 1  # which weights are zero
    VALUES = 2  # how many values weights have
    CODES = 3  # all values, to those that short codes stand for; undoes zeros and shared values


@dataclass(frozen=True)
class Report:
    """What a pass did; `str` gives it as a text for people.

    ``changed`` says of each layer, by path, what became of it, ``left`` of each that could have
    been changed why it stays as it is.
    """

    parameters: tuple[int, int]
    multiply_accumulates: tuple[int, int] | None
    changed: Mapping[str, str]
    left: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [change("parameters", *self.parameters)]
        if self.multiply_accumulates is not None:
            lines.append(change("multiply-accumulates", *self.multiply_accumulates))
        lines += [f"  {path}: {what}" for path, what in self.changed.items()]
        lines += [f"  {path} stays: {why}" for path, why in self.left.items()]
        lines += [f"  {note}" for note in self.notes]
        return "\n".join(lines)


@dataclass(frozen=True)
class Compressed:
    """A smaller plain Keras model, not compiled, and what was done to get it.

    ``code`` is what some weights are written as in a `.slim` file, where values alone do not tell.
    """

    model: keras.Model
    report: Report
    code: RandomCode | None = None


@dataclass(frozen=True)
class Means:
    """What a pass may use: data, a training, a seed; as `Pass.apply` has them."""

    data: Batches | None = None
    fine_tune: FineTune | None = None
    seed: int = 0
    progress: Path | None = None

    def train(self, model: keras.Model) -> None:
        """Train a model in place, where a training is given."""
        if self.fine_tune is not None:
            self.fine_tune(model)


@dataclass(frozen=True)
class Pass(ABC):
    """A way to make a model smaller; its settings are the attributes of the dataclass."""

    order: ClassVar[Order]
    keeps_zeros: ClassVar[bool] = True  # those that a pass before it made
    freezes: ClassVar[bool] = False  # the kernels that it gives values
    # For pydantic, by which the settings of a recipe in params.yaml are read.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    def apply(
        self,
        model: keras.Model,
        *,
        data: Batches | None = None,
        fine_tune: FineTune | None = None,
        seed: int = 0,
        progress: Path | str | None = None,
    ) -> Compressed:
        """Make a smaller model; the given one is not changed.

        Parameters
        ----------
        model : keras.Model
            Functional or sequential, built.
        data : iterable of (inputs, targets), optional
            Batches for a pass that looks at data; it may go through them once a layer.
        fine_tune : callable, optional
            Trains a model in place: the smaller one, or what a pass lets train on the way to it.
        seed : int
            Of what is drawn.
        progress : path, optional
            A folder for this call alone. A pass of many trainings keeps there what is done, and
            goes on from it when it is called again with the same arguments.

        Raises
        ------
        ParameterError
            For a model whose graph cannot be read, weights that are not finite, settings that
            contradict the model, or missing data.
        """
        check_finite(model)
        batches = None if data is None else list(data)
        folder = None if progress is None else Path(progress)
        return self._compress(model, Means(batches, fine_tune, seed, folder))

    def undoes(self, before: "Pass") -> bool:
        """Tell whether this pass changes weights that the one before it has set."""
        if self.order is Order.CODES:
            return before.order is not Order.SHAPES
        if before.order is Order.VALUES and self.order is Order.VALUES:
            return not (before.freezes and self.names_layers)
        unset = before.order is Order.ZEROS and not self.keeps_zeros
        return self.order < before.order or unset

    @property
    def names_layers(self) -> bool:
        """Whether settings say which layers it is for; all others keep their kernels."""
        return getattr(self, "layers", None) is not None

    @abstractmethod
    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        """Make a smaller model of one that was checked."""


def compared(
    before: keras.Model,
    after: keras.Model,
    changed: Mapping[str, str],
    left: Mapping[str, str],
    notes: Sequence[str] = (),
) -> Compressed:
    """Return the smaller model with a report that counts both."""
    try:
        cost = multiply_accumulates(before), multiply_accumulates(after)
    except ParameterError:  # inputs of no fixed size
        cost = None
    if not changed:
        notes = (*notes, "nothing was changed")
    parameters = before.count_params(), after.count_params()
    return Compressed(after, Report(parameters, cost, dict(changed), dict(left), tuple(notes)))


def check_finite(model: keras.Model) -> None:
    """Refuse a model that no pass can work on.

    Raises
    ------
    ParameterError
        For one whose graph cannot be read, or that has weights that are not finite.
    """
    check_model(model)
    for path, layer in layers_by_path(model).items():
        for variable in layer.weights:
            if not bool(keras.ops.all(keras.ops.isfinite(keras.ops.cast(variable, "float32")))):
                raise ParameterError(
                    f"model: received {path} with a {variable.name} that is not finite, expected "
                    "finite weights; train the model anew, with a lower learning rate"
                )


def chosen(paths: Iterable[str], layers: Sequence[str] | None) -> list[str]:
    """Return the paths that some patterns fit, all where there is no pattern.

    Raises
    ------
    ParameterError
        For a pattern that fits none.
    """
    known = list(paths)
    if layers is None:
        return known
    fitting = {path for pattern in layers for path in matching(known, pattern, "layer of its kind")}
    return [path for path in known if path in fitting]
