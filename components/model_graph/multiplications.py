"""Where weights multiply: at how many places of one input, in nested models as in others."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slimderm.components.model_graph.calls import (
    Shape,
    calls,
    flat_inputs,
    is_functional,
    shapes_inside,
)
from slimderm.components.model_graph.channel_labels import Effort, Labels


@dataclass(frozen=True)
class Multiplications:
    """Multiplications of one weight for one input: at so many ``positions``, None where open.

    They come once for each channel of ``along``.
    """

    path: str
    variable: Any
    positions: int | None
    along: tuple[Labels, ...] = ()


def multiplications(
    efforts: Mapping[int, Sequence[Effort]],
    model: Any,
    shapes: Mapping[int, Shape] | None = None,
    prefix: str = "",
) -> Iterator[Multiplications]:
    """Count the positions of each effort: of a nested model at the sizes that each call gives it.

    ``shapes`` are those of tensors by their id, where they are not what the tensors themselves say.
    """

    def shape_of(tensor: Any) -> Shape:
        return (shapes or {}).get(id(tensor)) or tuple(tensor.shape)

    for call in calls(model, prefix):
        if is_functional(call.operation):
            given = [shape_of(tensor) for tensor in flat_inputs(call)]
            inside = shapes_inside(call.operation, given)
            yield from multiplications(efforts, call.operation, inside, f"{call.path}/")
        for effort in efforts.get(id(call.outputs[0]), ()):
            shape = shape_of(effort.tensor)
            sizes = [shape[axis] for axis in effort.axes]
            if effort.steps is not None:
                sizes.append(shape_of(effort.steps)[1])
            whole = math.prod(size or 0 for size in sizes) // math.prod(map(len, effort.along))
            positions = None if None in sizes else whole
            yield Multiplications(call.path, effort.variable, positions, effort.along)
