"""Rules of operations that work along some axes: channels there stay."""

from collections.abc import Sequence

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import Axes, Coupling
from slimderm.components.model_graph.rules_slices import places_of


def reduce(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Sum, average or compare along some axes: a barrier for channels there."""
    axes, rank = inputs[0], len(inputs[0])
    along = places_of(call.operation.axis, rank)
    if _is_zero(call):  # however many there are
        axes = tuple(None if index in along else labels for index, labels in enumerate(axes))
    reason = f"{type(call.operation).__name__} is over the channels"
    coupling.barrier(call.path, reason, *(axes[index] for index in along))
    if call.operation.keepdims:
        return tuple(None if index in along else axes[index] for index in range(rank))
    return tuple(axes[index] for index in range(rank) if index not in along)


def _is_zero(call: Call) -> bool:
    """Tell whether an operation sums up zeros that were made in the form of a tensor."""
    before = type(call.inputs[0]._keras_history.operation).__name__
    return type(call.operation).__name__ == "Sum" and before == "ZerosLike"


def along_others(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Roll or add up along some axes: a barrier for channels there."""
    axes = inputs[0]
    along = places_of(call.operation.axis, len(axes))
    reason = f"{type(call.operation).__name__} is along the channels"
    coupling.barrier(call.path, reason, *(axes[index] for index in along))
    return tuple(None if index in along else labels for index, labels in enumerate(axes))


def unstack(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> list[Axes]:
    """Take an axis apart; a barrier for channels there."""
    axes = inputs[0]
    along = call.operation.axis % len(axes)
    coupling.barrier(call.path, "sets channels apart", axes[along])
    return [(*axes[:along], *axes[along + 1 :])] * len(call.outputs)
