"""A target instead of a ratio: prune until the model costs no more than so much."""

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import keras
import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.cost import Costs
from slimderm.components.model_graph.graph import Keep
from slimderm.components.model_graph.latency import latency
from slimderm.components.pruning.layer_latency import efforts_by_layer
from slimderm.components.pruning.method import Budget
from slimderm.components.pruning.selection import LARGEST, Planner
from slimderm.components.pruning.surgery import remove

FINE, COARSE = 20, 6  # halvings of the interval: of arithmetic, and of what must be built


def meet(planner: Planner, budget: Budget) -> Keep:
    """Find the smallest ratio whose plan costs no more than the budget.

    Parameters
    ----------
    planner : Planner
        Its plans shrink as the ratio grows.
    budget : Budget
        What to meet. Latency without a table is measured on models that are built for it.

    Returns
    -------
    bool array of shape (graph.num_coupled,)
        Everything, when the model meets the budget as it is.

    Raises
    ------
    ParameterError
        When even the smallest model that the floors and barriers allow costs more.
    """
    cost = _measure(planner, budget)
    whole = np.ones(planner.graph.num_coupled, bool)
    if cost(whole) <= budget.limit:
        return whole
    best = planner.smallest()
    least = cost(best)
    if least > budget.limit:
        raise ParameterError(
            f"budget: received {budget.limit:g} {budget.kind}, expected at least {least:g}, "
            "the cost of the smallest model that floors, barriers and kept layers allow"
        )
    low, high = Fraction(0), LARGEST
    built = budget.kind == "latency_ms" and budget.table is None
    for _ in range(COARSE if built else FINE):
        middle = (low + high) / 2
        plan = planner.plan(middle)
        if cost(plan) <= budget.limit:
            high, best = middle, plan
        else:
            low = middle
    return best


def _measure(planner: Planner, budget: Budget) -> Callable[[Keep], float]:
    graph, kind, table = planner.graph, budget.kind, budget.table
    costs = Costs(graph)
    if kind == "parameters":
        return costs.parameters
    if kind == "multiply_accumulates":
        return costs.multiply_accumulates
    if table is not None:
        return lambda keep: table.latency(efforts_by_layer(graph, keep))
    if kind == "latency_ms":
        return lambda keep: latency(remove(graph, keep))
    # A weight's bytes are known; names and shapes add no more for a smaller model.
    whole = np.ones(graph.num_coupled, bool)
    base = saved_bytes(remove(graph, whole)) - _bytes(costs, whole)
    return lambda keep: base + _bytes(costs, keep)


def _bytes(costs: Costs, keep: Keep) -> int:
    return sum(
        costs.size(variable, keep) * np.dtype(_storage(variable)).itemsize
        for variable in costs.variables.values()
    )


def _storage(variable: Any) -> str:
    return "float16" if variable.dtype == "bfloat16" else str(variable.dtype)


def saved_bytes(model: keras.Model) -> int:
    """Measure the saved ``.keras`` file, without an optimizer's state."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.stat().st_size
