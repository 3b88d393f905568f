"""Milliseconds of each layer by how much it multiplies: a table that budgets can use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slimderm.components.common.errors import ParameterError


@dataclass(frozen=True)
class LatencyTable:
    """How long each layer of a model takes, measured at several widths.

    It holds numbers alone: ``json.dumps(dataclasses.asdict(table))`` writes it, and
    ``LatencyTable(**json.loads(text))`` reads it, also one of another device.

    Attributes
    ----------
    rest : float
        Milliseconds of one input that are in none of the layers.
    layers : mapping of str to sequence of (float, float)
        Path of a layer, to its multiply-accumulates of one input and its milliseconds, for each
        width that was measured. Between them latency is a straight line, and from zero to the
        least of them.
    """

    rest: float
    layers: Mapping[str, Sequence[tuple[float, float]]]

    def latency(self, efforts: Mapping[str, int]) -> float:
        """Add up the milliseconds of a model.

        Parameters
        ----------
        efforts : mapping of str to int
            Path of a layer to its multiply-accumulates of one input. Layers that are not in the
            table count as nothing.

        Returns
        -------
        float

        Raises
        ------
        ParameterError
            When a layer of the table is not in the model.
        """
        missing = [path for path in self.layers if path not in efforts]
        if missing:
            raise ParameterError(
                f"table: received one with {', '.join(missing[:3])}, which the model does not "
                "have, expected one measured for this model"
            )
        return self.rest + sum(
            _between(points, efforts[path]) for path, points in self.layers.items()
        )


def _between(points: Sequence[tuple[float, float]], effort: float) -> float:
    """Read a line through points; noise must not make a narrower layer slower."""
    known, times = np.array([(0.0, 0.0), *sorted(map(tuple, points))]).T
    return float(np.interp(effort, known, np.maximum.accumulate(times)))
