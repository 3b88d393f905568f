"""Training that drives the scores of channels apart before they are pruned, as Keras callbacks.

After each training step the weights take the proximal step of a penalty: what gradient descent on
loss and penalty together does to the penalty's part, but exact, so that weights reach zero and stay
there (Parikh and Boyd 2014, "Proximal algorithms", section 6.5). It is apart from the optimizer, as
the decay of AdamW, and of the size of its learning rate. The loss that is logged is the task's.
"""

from fractions import Fraction
from numbers import Real
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.channel_labels import FIXED, Labels, Slot
from slimderm.components.model_graph.graph import Graph, Keep, kept
from slimderm.components.model_graph.trace import trace
from slimderm.components.pruning.criteria.base import ScoringInputs
from slimderm.components.pruning.criteria.table import get as get_criterion
from slimderm.components.pruning.importance import importance
from slimderm.components.pruning.method import Limits, check_ratio
from slimderm.components.pruning.selection import Planner

Factors = npt.NDArray[np.float64]


class _Shrinking(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no types
    """Shrinks the weights of channels that may go after each training step."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = _positive("strength", strength)
        self.graph: Graph | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Read the model's graph."""
        self.graph = trace(self.model)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Shrink the weights."""
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        assert self.graph is not None
        self._shrink(self.graph, float(rate) * self.strength)

    def _shrink(self, graph: Graph, amount: float) -> None:
        raise NotImplementedError


class NetworkSlimming(_Shrinking):
    """An L1 penalty on the scales of batch normalisation, for the criterion ``bn_scale``.

    Liu et al. 2017, "Learning efficient convolutional networks through network slimming", arXiv
    1708.06519, eq. 1.

    Parameters
    ----------
    strength : float
        Weight of the penalty, positive; 1e-5 to 1e-3 in the paper.

    Raises
    ------
    ParameterError
        For a strength that is not positive; when training begins, for a model without a scale whose
        channel may go.
    """

    def __init__(self, strength: float = 1e-4) -> None:
        super().__init__(strength)

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the scales."""
        super().on_train_begin(logs)
        assert self.graph is not None
        if not _scales(self.graph, self.graph.free):
            raise ParameterError(
                f"model: received {self.model.name!r}, which has no scale of batch normalisation "
                "whose channel may go, expected at least one; use GroupLasso"
            )

    def _shrink(self, graph: Graph, amount: float) -> None:
        for variable, labels in _scales(graph, graph.free):
            size = np.abs(_numpy(variable))
            left = np.maximum(1 - amount / np.maximum(size, amount), 0)
            _scale(variable, 0, np.where(_marked(graph.free, labels), left, 1))


class GroupLasso(_Shrinking):
    """A penalty on the norm of each set of coupled filters, for the criteria ``l1`` and ``l2``.

    Wen et al. 2016, "Learning structured sparsity in deep neural networks", arXiv 1608.03665, with
    the filters of channels that only go together as one set. In front of batch normalisation,
    which undoes the scale of filters, use `NetworkSlimming`.

    Parameters
    ----------
    strength : float
        Weight of the penalty, positive.
    """

    def __init__(self, strength: float = 1e-3) -> None:
        super().__init__(strength)

    def _shrink(self, graph: Graph, amount: float) -> None:
        squares = np.zeros(graph.num_coupled)
        for producer in graph.producers.values():
            others = _others(producer.variable, producer.axis)
            sums = keras.ops.sum(keras.ops.square(producer.variable), axis=others)
            np.add.at(squares, producer.labels, np.asarray(keras.ops.convert_to_numpy(sums)))
        left = np.maximum(1 - amount / np.maximum(np.sqrt(squares), amount), 0)
        factors = np.where(graph.free, left, 1)
        for producer in graph.producers.values():
            _scale(producer.variable, producer.axis, factors[producer.labels])


class GrowingRegularization(_Shrinking):
    """An L2 penalty on the channels that will go, which grows until they are next to nothing.

    Wang et al. 2021, "Neural pruning via growing regularization", arXiv 2012.09243, algorithm 1,
    GReg-1: filters, biases, scales and offsets of the least important channels decay ever faster,
    and the others take over. `prune` with the same arguments then removes them.

    Parameters
    ----------
    ratio, criterion, scope, limits
        Which channels will go, as for `slimderm.components.pruning.pruner.prune`; a criterion that
        needs no data. They are chosen when training first begins.
    step : float
        What the penalty's weight grows by, positive.
    every : int
        Training steps after which it grows.
    largest : float
        The penalty's largest weight.

    Raises
    ------
    ParameterError
        For a ratio outside (0, 1), or numbers that are not positive.
    """

    def __init__(
        self,
        ratio: float | Fraction,
        *,
        criterion: str = "l1",
        scope: str = "local",
        limits: Limits | None = None,
        step: float = 1e-2,
        every: int = 10,
        largest: float = 1.0,
    ) -> None:
        super().__init__(largest)
        check_ratio(ratio)
        check_whole("every", every)
        self.ratio, self.criterion, self.scope, self.limits = ratio, criterion, scope, limits
        self.step, self.every = _positive("step", step), every
        self.num_steps = 0
        self.goes: Keep | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Choose the channels, once."""
        super().on_train_begin(logs)
        assert self.graph is not None
        if self.goes is None:
            planner = Planner(
                self.graph,
                importance(ScoringInputs(self.graph), self.criterion),
                scope=self.scope,
                comparable=get_criterion(self.criterion).comparable,
                limits=self.limits,
            )
            self.goes = ~planner.plan(self.ratio)

    def _shrink(self, graph: Graph, amount: float) -> None:
        self.num_steps += 1
        weight = min(self.step * (self.num_steps // self.every), self.strength)
        left = 1 / (1 + amount / self.strength * weight)
        assert self.goes is not None
        found = [(entry.variable, entry.axis, entry.labels) for entry in graph.producers.values()]
        found += [(slot.variable, 0, slot.labels) for slot in graph.slots if _is_vector(slot)]
        for variable, axis, labels in found:
            _scale(variable, axis, np.where(_marked(self.goes, labels), left, 1))


def _is_vector(slot: Slot) -> bool:
    """Tell whether a weight is trained and has one number for each channel."""
    return len(slot.variable.shape) == 1 and slot.variable.trainable


def _scales(graph: Graph, among: Keep) -> list[tuple[Any, Labels]]:
    """Return the scales of batch normalisation that have a channel among some, with labels."""
    return [
        (slot.variable, slot.labels)
        for slot in graph.slots
        if isinstance(slot.layer, keras.layers.BatchNormalization)
        and slot.variable is slot.layer.gamma
        and _marked(among, slot.labels).any()
    ]


def _marked(among: Keep, labels: Labels) -> npt.NDArray[np.bool_]:
    """Tell for each place whether its channel is among some; fixed ones are not."""
    marked: npt.NDArray[np.bool_] = kept(among, labels) & (labels != FIXED)
    return marked


def _scale(variable: Any, axis: int, factors: Factors) -> None:
    """Multiply a weight along one axis."""
    if (factors == 1).all():
        return
    shape = [1] * len(variable.shape)
    shape[axis] = -1
    variable.assign(
        keras.ops.multiply(variable, factors.reshape(shape).astype(_numpy_type(variable)))
    )


def _others(variable: Any, axis: int) -> list[int]:
    return [index for index in range(len(variable.shape)) if index != axis]


def _numpy(variable: Any) -> Factors:
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)


def _numpy_type(variable: Any) -> str:
    return "float32" if variable.dtype == "bfloat16" else str(variable.dtype)


def _positive(name: str, value: Any) -> float:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not 0 < value < float("inf"):
        raise ParameterError(f"{name}: received {value!r}, expected a positive number")
    return float(value)
