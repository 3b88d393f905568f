"""Rules of layers and operations that an einsum equation describes, by its letters."""

from collections.abc import Sequence
from typing import Any

from slimderm.components.model_graph.calls import Call
from slimderm.components.model_graph.channel_labels import (
    Axes,
    Coupling,
    Effort,
    Labels,
    unknown,
)
from slimderm.components.model_graph.einsum_letters import axis_letters
from slimderm.components.model_graph.rules_shape import joined
from slimderm.components.model_graph.rules_values import activated


def einsum_dense(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Reads the axes that only input and kernel have, makes those that only the kernel has.

    Where it makes several, such as heads and their places, each is pruned by itself and goes by
    the layer's name and its letter. Axes that the kernel lacks pass; those that it has as well
    keep a weight for each of their channels.
    """
    layer, axes = call.operation, inputs[0]
    if layer.quantization_mode is not None or layer.lora_enabled:
        return unknown(coupling, call, inputs, "quantised or with LoRA")
    read, held, made = _letters(layer)
    if any(len(set(names)) < len(names) for names in (read, held, made)):
        return unknown(coupling, call, inputs, "a letter twice in one operand")
    if made[0] != read[0] or read[0] in held:
        return unknown(coupling, call, inputs, "moves the batch")
    labels_of = dict(zip(read, axes, strict=True))
    lost = [labels_of[name] for name in read if name not in held and name not in made]
    coupling.barrier(call.path, "sums over the channels", *lost)
    for index, name in enumerate(held):
        if name in labels_of:
            coupling.hold(layer, layer.kernel, index, labels_of[name])
    own = [name for name in made if name not in labels_of]
    for name in own:
        path = call.path if len(own) == 1 else f"{call.path}/{name}"
        labels_of[name] = coupling.produce(path, layer, layer.kernel, held.index(name))
    _count(coupling, call, labels_of, made)
    coupling.efforts.setdefault(id(call.outputs[0]), []).append(_effort(call, labels_of))
    return tuple(activated(coupling, call, labels_of[name]) for name in made)


def _letters(layer: Any) -> tuple[list[str], list[str], list[str]]:
    """Name the axes of input, kernel and output."""
    ranks = (layer.input_spec.ndim, len(layer.kernel.shape))
    (read, held), made = axis_letters(layer.equation, ranks)
    return read, held, made


def _count(
    coupling: Coupling, call: Call, labels_of: dict[str, Labels | None], made: list[str]
) -> None:
    """Note what the bias and the config's ``output_shape`` count."""
    layer = call.operation
    if layer.bias is not None:  # from the first axis that has one to the last
        first = len(made) - len(layer.bias.shape)
        for index, name in enumerate(made[first:]):
            if name in layer.bias_axes:
                coupling.hold(layer, layer.bias, index, labels_of[name])
    sizes = layer.partial_output_shape  # without the batch and what ... stands for
    said = [name for name in made[1:] if not name.startswith("...")]
    for index, (size, name) in enumerate(zip(sizes, said, strict=True)):
        if size is not None:
            coupling.size(call.path, "output_shape", labels_of[name], index)


def _effort(call: Call, labels_of: dict[str, Labels | None]) -> Effort:
    """Multiplies at each place of the input's axes that the kernel lacks."""
    read, held, _ = _letters(call.operation)
    between = [index for index, name in enumerate(read) if index and name not in held]
    found = [labels_of[read[index]] for index in between]
    along = tuple(labels for labels in found if labels is not None)
    return Effort(call.operation.kernel, call.inputs[0], tuple(between), along)


def einsum(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """Carry the channels of each letter that the result has; a barrier for those summed over."""
    given = [*call.arguments.args, *call.arguments.kwargs.values()]
    if len(given) != len(call.inputs):
        return unknown(coupling, call, inputs, "an operand that is no tensor of the model")
    return _carried(coupling, call, inputs, call.operation.subscripts)


def matmul(coupling: Coupling, call: Call, inputs: Sequence[Axes]) -> Axes:
    """As `einsum`: rows of the first and columns of the second stay apart."""
    if len(call.inputs) != 2 or min(len(axes) for axes in inputs) < 2:
        return unknown(coupling, call, inputs, "an operand that is no matrix of the model")
    return _carried(coupling, call, inputs, "...ij,...jk->...ik")


def _carried(coupling: Coupling, call: Call, inputs: Sequence[Axes], equation: str) -> Axes:
    names, made = axis_letters(equation, [len(axes) for axes in inputs])
    if any(len(set(each)) < len(each) for each in (*names, made)):
        return unknown(coupling, call, inputs, "a letter twice in one operand")
    found: dict[str, list[Labels | None]] = {}
    lengths: dict[str, set[int | None]] = {}
    for own, axes, tensor in zip(names, inputs, call.inputs, strict=True):
        for name, labels, size in zip(own, axes, tensor.shape, strict=True):
            found.setdefault(name, []).append(labels)
            lengths.setdefault(name, set()).add(size)
    if any(len(lengths[name] - {None}) > 1 for name in found):  # one channel spread over others
        return unknown(coupling, call, inputs, "an axis of length 1 beside a longer one")
    lost = [labels for name, each in found.items() if name not in made for labels in each]
    coupling.barrier(call.path, "sums over the channels", *lost)
    return tuple(joined(coupling, found[name]) for name in made)


def reading_axes(layer: Any, variable: Any) -> tuple[int, ...]:
    """Return the axes along which the kernel of an `EinsumDense` reads channels."""
    if variable is not layer.kernel:
        return ()
    read, held, made = _letters(layer)
    return tuple(i for i, name in enumerate(held) if name in read and name not in made)


def last_axis_read(layer: Any) -> int | None:
    """Return the kernel's axis that reads the input's last, where it reads no other."""
    read, held, _ = _letters(layer)
    axes = reading_axes(layer, layer.kernel)
    return axes[0] if [held[axis] for axis in axes] == read[-1:] else None
