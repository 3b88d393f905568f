"""Rules of the operations of `keras.ops`, by the names of their classes."""

from collections.abc import Callable, Sequence

import numpy as np

from slimderm.components.model_graph.by_value import BY_VALUE
from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    FIXED,
    Axes,
    Coupling,
    Labels,
    Rule,
    unknown,
)
from slimderm.components.model_graph.rules_along import along_others, reduce, unstack
from slimderm.components.model_graph.rules_attention import dot_product
from slimderm.components.model_graph.rules_einsum import einsum, matmul
from slimderm.components.model_graph.rules_reshape import (
    depth_to_space,
    extract_patches,
    reshaped,
    reshaped_with_batch,
    space_to_depth,
)
from slimderm.components.model_graph.rules_shape import (
    concatenate,
    joined,
    merge,
    window,
)
from slimderm.components.model_graph.rules_slices import (
    flip,
    places_of,
    repeat,
    slice_part,
    split,
    take,
    take_items,
    tile,
)
from slimderm.components.model_graph.rules_values import same, softmax


def operate(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Treat tensors value by value: as `merge`; constants must be the same for all channels."""
    made = merge(coupling, call, inputs, batch_first=False)
    for operand in [*call.arguments.args, *call.arguments.kwargs.values()]:
        if any(operand is tensor for tensor in call.inputs):
            continue
        if isinstance(operand, list | tuple):
            return unknown(coupling, call, inputs, "a list of numbers")
        shape = getattr(operand, "shape", ())
        along = made[len(made) - len(shape) :]
        if any(size != 1 and labels is not None for size, labels in zip(shape, along, strict=True)):
            return unknown(coupling, call, inputs, "a constant that differs between channels")
    return made


def clip(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Every value by itself, unless bounds are given for each channel."""
    if any(np.size(bound) != 1 for bound in (call.operation.x_min, call.operation.x_max)):
        return unknown(coupling, call, inputs, "bounds that are no single numbers")
    return same(coupling, call, inputs)


def move(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Move axes, as the operation moves those of an array."""
    operation, rank = call.operation, len(inputs[0])
    places = np.empty((1,) * rank)
    for index in range(rank):
        places = np.repeat(places, index + 1, axis=index)  # axis i is i + 1 long
    name = type(operation).__name__
    if name == "Transpose":
        moved = np.transpose(places, operation.axes)
    elif name == "Moveaxis":
        moved = np.moveaxis(places, operation.source, operation.destination)
    else:
        moved = np.swapaxes(places, operation.axis1, operation.axis2)
    return tuple(inputs[0][size - 1] for size in moved.shape)


def expand(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Put in axes of length 1."""
    rank = len(call.outputs[0].shape)
    new, old = places_of(call.operation.axis, rank), iter(inputs[0])
    return tuple(None if index in new else next(old) for index in range(rank))


def squeeze(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Take out axes of length 1; a channel that is alone there stays."""
    axes, shape = inputs[0], call.inputs[0].shape
    ones = [index for index, size in enumerate(shape) if size == 1]
    given = call.operation.axis
    gone = ones if given is None else places_of(given, len(axes))
    coupling.pin(*(axes[index] for index in gone))
    return tuple(labels for index, labels in enumerate(axes) if index not in gone)


def stack(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Put tensors beside each other along a new axis; their channels go together."""
    rank = len(inputs[0])
    axis = call.operation.axis % (rank + 1)
    found = [joined(coupling, [axes[index] for axes in inputs]) for index in range(rank)]
    return (*found[:axis], None, *found[axis:])


def pad(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Put places around an axis; beside channels they stay."""
    axes, widths = inputs[0], call.operation.pad_width
    widths = widths * len(axes) if len(widths) == 1 else widths
    found: list[Labels | None] = []
    for labels, (before, after) in zip(axes, widths, strict=True):
        if labels is None or before == after == 0:
            found.append(labels)
        elif call.operation.mode != "constant":  # what is put there are other channels
            return unknown(coupling, call, inputs, f"pads channels by {call.operation.mode}")
        else:
            found.append(np.r_[np.full(before, FIXED), labels, np.full(after, FIXED)])
    return tuple(found)


def reshape(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Follow channels as the layer `Reshape` does, where the batch stays the first axis."""
    before, after = call.inputs[0].shape, call.outputs[0].shape
    known = None not in before[1:] and None not in after[1:]
    first = inputs[0][0] if before else None
    if first is not None or (known and np.prod(before[1:]) != np.prod(after[1:])):
        result = reshaped_with_batch(coupling, call, inputs[0])
    else:
        result = reshaped(coupling, call, inputs[0], before, after)
    for index, labels in enumerate(result):
        if call.operation.newshape[index] != -1:
            coupling.size(call.path, "newshape", labels, index)
    return result


REDUCTIONS = ("Mean", "Sum", "Max", "Min", "Amax", "Amin", "Prod", "Var", "Std")
WINDOWS = ("MaxPool", "AveragePool", "Resize")
OPERATION_RULES: dict[str, Rule] = {
    **dict.fromkeys(BY_VALUE, operate),
    **dict.fromkeys(REDUCTIONS, reduce),
    **dict.fromkeys(WINDOWS, window),
    **dict.fromkeys(("Transpose", "Moveaxis", "Swapaxes"), move),
    "Einsum": einsum,
    "Matmul": matmul,
    "DotProductAttention": dot_product,
    **dict.fromkeys(("Softmax", "LogSoftmax"), softmax),
    **dict.fromkeys(("Roll", "Cumsum", "Cumprod"), along_others),
    "ZerosLike": same,
    "OnesLike": same,
    "Take": take,
    "Cast": same,
    "Clip": clip,
    "Concatenate": concatenate,
    "ExpandDims": expand,
    "Squeeze": squeeze,
    "Stack": stack,
    "Pad": pad,
    "Reshape": reshape,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "ExtractPatches": extract_patches,
    "GetItem": take_items,
    "Slice": slice_part,
    "Flip": flip,
    "Repeat": repeat,
    "Tile": tile,
}
# Of operations with several outputs: these rules return the axes of each.
SPLITTING_RULES: dict[str, Callable[[Coupling, Call, Sequence[Axes]], list[Axes]]] = {
    "Split": split,
    "Unstack": unstack,
}
