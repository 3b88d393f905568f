"""The dependency graph of a model: which channels only go together, and what they touch.

The channels that go together are a *bundle*: one filter of one convolution, say, or one of each of
two that are added. Bundles that belong to the same layers form a *group*; its layers shrink
together, by whole bundles.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.calls import (
    Call,
    calls,
    check_model,
    ends,
    flat_inputs,
    is_functional,
    last_operations,
)
from slimderm.components.model_graph.labels import (
    FIXED,
    Axes,
    Labels,
    Producer,
    Size,
    Slot,
    Tracer,
    unknown,
)
from slimderm.components.model_graph.multiplications import Work, works
from slimderm.components.model_graph.rules import rule_for

Keep = npt.NDArray[np.bool_]  # one for each bundle: whether it stays


@dataclass(frozen=True)
class Barrier:
    """A layer that keeps channels from being pruned: how many bundles, and why."""

    path: str
    reason: str
    num_coupled: int


@dataclass(frozen=True)
class Group:
    """Layers that shrink together: ``bundles`` in the order of the first layer's channels."""

    layers: tuple[str, ...]
    bundles: npt.NDArray[np.int64]
    free: npt.NDArray[np.bool_]

    @property
    def name(self) -> str:
        """The first layer's path."""
        return self.layers[0]


@dataclass(frozen=True)
class Graph:
    """A model's bundles and everything that a pruning of them changes.

    All labels are numbers of bundles, or `FIXED`. ``free`` tells which bundles may go.
    """

    model: Any
    free: Keep
    slots: tuple[Slot, ...]
    sizes: tuple[Size, ...]
    values: tuple[Size, ...]
    producers: dict[str, Producer]
    works: tuple[Work, ...]
    barriers: tuple[Barrier, ...]
    groups: tuple[Group, ...]

    @property
    def num_coupled(self) -> int:
        """How many bundles there are."""
        return len(self.free)

    @cached_property
    def slots_of(self) -> dict[int, list[Slot]]:
        """Slots by the id of their variable."""
        found: dict[int, list[Slot]] = {}
        for slot in self.slots:
            found.setdefault(id(slot.variable), []).append(slot)
        return found


def kept(keep: Keep, labels: Labels) -> npt.NDArray[np.bool_]:
    """Tell for each place along an axis whether it stays; fixed places do."""
    stays: npt.NDArray[np.bool_] = np.append(keep, True)[labels]  # FIXED is the last
    return stays


def trace(model: Any) -> Graph:
    """Read the dependency graph of a model.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built. It may nest models, share layers, and have several inputs
        and outputs. It is not changed.

    Returns
    -------
    Graph

    Raises
    ------
    ParameterError
        For a subclassed or unbuilt model.
    """
    check_model(model)
    _check_places(model, "", {})
    tracer = Tracer()
    inputs = [_fixed(tensor) for tensor in ends(model)[0]]
    for labels in _follow(tracer, model, inputs, "", {}):
        tracer.pin(*labels)
    return _settle(tracer, model)


def _check_places(model: Any, prefix: str, places: dict[int, str]) -> None:
    """Refuse a layer that is used by models at different places: Keras makes one of each place."""
    for layer in model.layers:
        path = prefix + layer.name
        first = places.setdefault(id(layer), path)
        if first != path:
            raise ParameterError(
                f"model: received one that uses {layer.name!r} at both {first} and {path}, "
                "expected it inside one model, which may be called more than once"
            )
        if is_functional(layer):
            _check_places(layer, f"{path}/", places)


def _fixed(tensor: Any) -> Axes:
    return (None,) * len(tensor.shape)


@dataclass
class _Nested:
    """A nested model that was followed once; other calls of it unite with that one."""

    inputs: list[Axes]
    outputs: list[Axes]


def _follow(
    tracer: Tracer, model: Any, inputs: list[Axes], prefix: str, nested: dict[int, _Nested]
) -> list[Axes]:
    """Carry labels from a model's inputs to its outputs."""
    first, last = ends(model)
    axes_of: dict[int, Axes] = {
        id(tensor): axes for tensor, axes in zip(first, inputs, strict=True)
    }
    for call in calls(model, prefix):
        if not call.inputs:  # an input layer
            for tensor in call.outputs:
                axes = axes_of.setdefault(id(tensor), _fixed(tensor))
                for index, labels in enumerate(axes):
                    tracer.size(call.path, "batch_shape", labels, index)
            continue
        given = [axes_of[id(tensor)] for tensor in call.inputs]
        if is_functional(call.operation):
            made = _enter(tracer, call, given, nested)
        else:
            rule = rule_for(call.operation) if len(call.outputs) == 1 else unknown
            axes = rule(tracer, call, given)
            made = [axes, *(_fixed(tensor) for tensor in call.outputs[1:])]
        axes_of |= {id(tensor): axes for tensor, axes in zip(call.outputs, made, strict=True)}
    return [axes_of[id(tensor)] for tensor in last]


def _enter(tracer: Tracer, call: Call, given: list[Axes], nested: dict[int, _Nested]) -> list[Axes]:
    """Follow a nested model the first time; unite its inputs with new ones after that."""
    model = call.operation
    ordered = _in_order(call, given)
    known = nested.get(id(model))
    if known is None:
        outputs = _follow(tracer, model, ordered, f"{call.path}/", nested)
        nested[id(model)] = _Nested(ordered, outputs)
        return outputs
    for before, now in zip(known.inputs, ordered, strict=True):
        for old, new in zip(before, now, strict=True):
            if old is not None or new is not None:
                tracer.unite(old, new)
    return known.outputs


def _in_order(call: Call, given: list[Axes]) -> list[Axes]:
    """Order what a nested model is called with as its own inputs are.

    Raises
    ------
    ParameterError
        When that is not one tensor of the graph for each input, of the same rank.
    """
    inputs = ends(call.operation)[0]
    axes_of = {id(tensor): axes for tensor, axes in zip(call.inputs, given, strict=True)}
    found = [axes_of.get(id(tensor), ()) for tensor in flat_inputs(call)]
    expected = [len(tensor.shape) for tensor in inputs]
    if [len(axes) for axes in found] != expected:
        raise ParameterError(
            f"model: received one that calls {call.path} with tensors of rank "
            f"{[len(axes) for axes in found]}, expected {expected}: one tensor of the graph for "
            f"each of its inputs {', '.join(tensor.name for tensor in inputs)}"
        )
    return found


def _settle(tracer: Tracer, model: Any) -> Graph:
    """Turn labels that were united into bundles, and bundles into groups."""
    number, bundle_of = _components(tracer.num_labels, tracer.united)
    bundle_of = np.append(bundle_of, FIXED)
    free = np.ones(number + 1, bool)
    for first, second in tracer.united:  # a channel that goes with a fixed place stays
        for labels, other in ((first, second), (second, first)):
            free[bundle_of[labels[other == FIXED]]] = False
    for labels in tracer.pinned:
        free[bundle_of[labels]] = False
    free = free[:-1]

    def settled(entry: Any) -> Any:
        return replace(entry, labels=bundle_of[entry.labels])

    producers = {path: settled(entry) for path, entry in tracer.producers.items()}
    # That the classes stay, whatever softmax is made of them, goes without saying.
    last = {operation.name for operation in last_operations(model)} - tracer.strangers
    barriers: dict[tuple[str, str], list[Labels]] = {}
    for path, reason, labels in tracer.barriers:
        if path not in last:
            barriers.setdefault((path, reason), []).append(bundle_of[labels])
    return Graph(
        model=model,
        free=free,
        slots=tuple(settled(slot) for slot in tracer.slots.values()),
        sizes=tuple(settled(size) for size in tracer.sizes.values() if size.labels is not None),
        values=tuple(
            settled(entry) for entry in tracer.values.values() if entry.labels is not None
        ),
        producers=producers,
        works=tuple(
            replace(work, along=tuple(bundle_of[labels] for labels in work.along))
            for work in works(tracer.efforts, model)
        ),
        barriers=tuple(
            Barrier(path, reason, len(set(np.concatenate(labels).tolist()) - {FIXED}))
            for (path, reason), labels in barriers.items()
        ),
        groups=_group(producers, number, free),
    )


def _components(number: int, pairs: list[tuple[Labels, Labels]]) -> tuple[int, Labels]:
    if not number:
        return 0, np.empty(0, np.int64)
    first = np.concatenate([np.empty(0, np.int64), *(pair[0] for pair in pairs)])
    second = np.concatenate([np.empty(0, np.int64), *(pair[1] for pair in pairs)])
    real = (first != FIXED) & (second != FIXED)
    first, second = first[real], second[real]
    edges = coo_matrix((np.ones(len(first), np.int8), (first, second)), (number, number))
    count, labels = connected_components(edges, directed=False)
    return int(count), labels.astype(np.int64)


def _group(producers: dict[str, Producer], number: int, free: Keep) -> tuple[Group, ...]:
    """Put producers together that share a bundle."""
    paths = list(producers)
    pairs = [
        (np.full(len(producers[path].labels), number + index), producers[path].labels)
        for index, path in enumerate(paths)
    ]
    _, component = _components(number + len(paths), pairs)
    members: dict[int, list[str]] = {}
    for index, path in enumerate(paths):
        members.setdefault(int(component[number + index]), []).append(path)
    groups = []
    for layers in members.values():
        labels = np.concatenate([producers[path].labels for path in layers])
        bundles = labels[np.sort(np.unique(labels, return_index=True)[1])]
        groups.append(Group(tuple(layers), bundles, free[bundles]))
    return tuple(groups)
