"""What a model costs, built or planned: parameters and multiply-accumulates, by arithmetic."""

import math
from typing import Any

import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.graph import Graph, Keep, kept
from slimderm.components.model_graph.trace import trace


def multiply_accumulates(model: Any) -> int:
    """Count the multiply-accumulates of one input through a model's convolutions and dense layers.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential; of fixed input size.

    Returns
    -------
    int
        Multiplications that are each followed by an addition; biases, pools, normalisation,
        activations, and layers that have no rule are left out. A shared layer counts as often as
        it is called.

    Raises
    ------
    ParameterError
        For a model whose graph cannot be read, or whose input size is undefined.
    """
    graph = trace(model)
    return Costs(graph).multiply_accumulates(np.ones(graph.num_coupled, bool))


def change(what: str, before: int, after: int) -> str:
    """Say what something cost before and costs now, for people."""
    return f"{what}: {before:,} to {after:,} ({after / max(before, 1):.1%})"


class Costs:
    """Counts what a model would cost if only some coupled channels were kept; nothing is built."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.fixed = sum(
            math.prod(variable.shape)
            for variable in graph.model.weights
            if id(variable) not in graph.slots_of
        )
        self.variables = {id(variable): variable for variable in graph.model.weights}

    def size(self, variable: Any, keep: Keep) -> int:
        """Count the numbers of one weight that stay."""
        shape = list(variable.shape)
        for slot in self.graph.slots_of.get(id(variable), ()):
            shape[slot.axis] = int(kept(keep, slot.labels).sum())
        return math.prod(shape)

    def parameters(self, keep: Keep) -> int:
        """Count parameters, normalisation's moving statistics among them."""
        shrunk = (self.variables[key] for key in self.graph.slots_of)
        return int(self.fixed + sum(self.size(variable, keep) for variable in shrunk))

    def multiply_accumulates(self, keep: Keep) -> int:
        """Count multiply-accumulates of one input.

        Raises
        ------
        ParameterError
            When the model's input size is undefined.
        """
        total = 0
        for found in self.graph.multiplications:
            if found.positions is None:
                raise ParameterError(
                    f"model: received one in which {found.path} has an input of undefined size, "
                    "expected inputs of fixed size; multiply-accumulates depend on it"
                )
            channels = math.prod(int(kept(keep, labels).sum()) for labels in found.along)
            total += found.positions * channels * self.size(found.variable, keep)
        return total
