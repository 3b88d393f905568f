"""Which channels go together: labels that are carried through a model's graph.

Every layer that makes channels (a convolution's filters, a dense layer's units) labels them with
numbers of their own. Labels travel with the tensors, axis by axis; a layer that reads channels
notes which label each row of its weights answers to. Where two tensors are added, their labels are
united; where a channel may not go, it is pinned. `FIXED` labels a place that no pruning can remove,
and an axis of such places alone is None.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from slimderm.components.model_graph.calls import Call

Labels = npt.NDArray[np.int64]  # one for each place along an axis
Axes = tuple[Labels | None, ...]  # one for each axis of a tensor, the batch included
Place = tuple[str | int, ...]  # keys and indices, one inside the other
FIXED = -1


@dataclass(frozen=True)
class Slot:
    """One axis of one weight: place i belongs to channel ``labels[i]``."""

    layer: Any
    variable: Any
    axis: int
    labels: Labels


@dataclass(frozen=True)
class Size:
    """One entry of a layer's config that counts channels, or lists a value for each.

    ``index`` is the place in the entry where that is a list of sizes.
    """

    path: str
    key: str
    index: int | None
    labels: Labels | None


@dataclass(frozen=True)
class Producer:
    """A layer that makes channels; ``variable`` holds a filter for each along ``axis``."""

    variable: Any
    axis: int
    labels: Labels


@dataclass(frozen=True)
class Effort:
    """A weight multiplies at each place along some axes of a symbolic tensor.

    It does so once for each channel of ``along``, axes that the weight neither reads nor makes, and
    for each step, axis 1 of the tensor ``steps``, where that is given.
    """

    variable: Any
    tensor: Any
    axes: tuple[int, ...]
    along: tuple[Labels, ...] = ()
    steps: Any = None


@dataclass
class Coupling:
    """What is known of the channels so far; `slimderm.components.model_graph.rules` fills it in.

    ``moving`` says whether channels may leave a layer's statistics, and ``moved`` holds, by the
    paths of layers whose statistics then are those of the channels that stay, axis and labels.
    ``parted`` holds, by the paths of what sets an axis apart, the new axes and the labels of the
    old one; ``laid``, by those of what lays several axes with channels together, these axes and the
    labels of the last, which alone are carried. ``choices`` says which axis has the channels, where
    it is not the last.
    """

    moving: bool = False
    choices: Mapping[str, int] = field(default_factory=dict)
    parted: dict[str, tuple[tuple[int, ...], Labels]] = field(default_factory=dict)
    laid: dict[str, tuple[tuple[int, ...], Labels]] = field(default_factory=dict)
    moved: dict[str, tuple[int, Labels]] = field(default_factory=dict)
    num_labels: int = 0
    united: list[tuple[Labels, Labels]] = field(default_factory=list)
    pinned: list[Labels] = field(default_factory=list)
    barriers: list[tuple[str, str, Labels]] = field(default_factory=list)
    slots: dict[tuple[int, int], Slot] = field(default_factory=dict)
    sizes: dict[tuple[str, str, int | None], Size] = field(default_factory=dict)
    values: dict[tuple[str, str, int | None], Size] = field(default_factory=dict)
    arguments: list[tuple[str, Place, Labels]] = field(default_factory=list)
    producers: dict[str, Producer] = field(default_factory=dict)
    efforts: dict[int, list[Effort]] = field(default_factory=dict)  # by the id of a call's output
    strangers: set[str] = field(default_factory=set)  # paths of what has no rule

    def fresh(self, number: int) -> Labels:
        """Label new channels."""
        self.num_labels += number
        return np.arange(self.num_labels - number, self.num_labels)

    def produce(
        self, path: str, layer: Any, variable: Any, axis: int, *, copies: int = 1
    ) -> Labels:
        """Return the labels of a layer's own channels, the same each time it is called.

        With ``copies`` the channels repeat so many times along the axis, as in grouped convolution.
        """
        if path not in self.producers:
            width = variable.shape[axis]
            labels = np.tile(self.fresh(width // copies), copies)
            self.producers[path] = Producer(variable, axis, labels)
            self.hold(layer, variable, axis, labels)
        return self.producers[path].labels

    def hold(self, layer: Any, variable: Any, axis: int, labels: Labels | None) -> None:
        """Note that one axis of a weight belongs to channels; a layer called twice unites them."""
        if variable is None:
            return
        key = (id(variable), axis)
        if key in self.slots:
            self.unite(self.slots[key].labels, labels)
        else:
            found = np.full(variable.shape[axis], FIXED) if labels is None else labels
            self.slots[key] = Slot(layer, variable, axis, found)

    def size(self, path: str, key: str, labels: Labels | None, index: int | None = None) -> None:
        """Note that an entry of the layer's config counts these channels."""
        self._enter(self.sizes, path, key, labels, index)

    def move(self, path: str, axis: int, labels: Labels) -> None:
        """Note that a layer's statistics are over channels that may go."""
        _, known = self.moved.setdefault(path, (axis, labels))
        if known is not labels:  # a layer that is called again
            self.unite(known, labels)

    def listed(self, path: str, key: str, labels: Labels | None) -> None:
        """Note that an entry of the layer's config lists a value for each of these channels."""
        self._enter(self.values, path, key, labels, None)

    def argument(self, path: str, place: Place, labels: Labels) -> None:
        """Note that an argument of an operation's only call counts these channels."""
        self.arguments.append((path, place, labels))

    def _enter(
        self,
        entries: dict[tuple[str, str, int | None], Size],
        path: str,
        key: str,
        labels: Labels | None,
        index: int | None,
    ) -> None:
        known = entries.setdefault((path, key, index), Size(path, key, index, labels))
        if known.labels is not labels:  # a layer that is called again
            self.unite(known.labels, labels)

    def unite(self, first: Labels | None, second: Labels | None) -> None:
        """Let channels go together, place by place."""
        if first is None or second is None:
            self.pin(first, second)
        else:
            self.united.append((first, second))

    def pin(self, *labels: Labels | None) -> None:
        """Keep channels."""
        self.pinned += [found for found in labels if found is not None]

    def barrier(self, path: str, reason: str, *labels: Labels | None) -> None:
        """Keep channels, and say which layer wants it and why."""
        for found in labels:
            if found is not None:
                self.barriers.append((path, reason, found))
                self.pinned.append(found)


# What a layer or operation does to channels: the axes of its output, from those of its inputs.
Rule = Callable[[Coupling, Call, Sequence[Axes]], Axes]


def channel_axis(layer: Any, rank: int) -> int:
    """Return the axis of the channels, the batch being axis 0."""
    return 1 if getattr(layer, "data_format", None) == "channels_first" else rank - 1


def placed(axes: Axes, axis: int, labels: Labels | None) -> Axes:
    """Return axes that are all fixed but one."""
    return tuple(labels if index == axis else None for index in range(len(axes)))


def only(coupling: Coupling, call: Call, axes: Axes, axis: int) -> Labels | None:
    """Return the labels of one axis; this layer is a barrier for the others."""
    others = [labels for index, labels in enumerate(axes) if index != axis]
    coupling.barrier(call.path, f"{type(call.operation).__name__} works along them", *others)
    return axes[axis]


def unknown(
    coupling: Coupling, call: Call, inputs: Sequence[Axes], reason: str | None = None
) -> Axes:
    """Make a layer a barrier: channels that reach it stay, and so do its own."""
    reason = reason or f"no rule for {type(call.operation).__name__}"
    coupling.strangers.add(call.path)
    if getattr(call.operation, "weights", None):  # it has a say even where no channels come in
        coupling.barrier(call.path, reason, np.empty(0, np.int64))
    for axes in inputs:
        coupling.barrier(call.path, reason, *axes)
    return (None,) * len(call.outputs[0].shape)
