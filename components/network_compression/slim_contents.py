"""What a `.slim` file holds, as a table."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Weight:
    """One weight in a file: its place in the model, and what it takes.

    Attributes
    ----------
    path : str
        Layer, behind the models that it is nested in, and weight, joined by ``/``.
    shape : tuple of int
    dtype : str
    coding : str
        A name of `codings.table.CODINGS`.
    num_bytes : int
        Without the two to six bytes that say coding and length.
    value_bytes : int
        What one value takes as it is.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    coding: str
    num_bytes: int
    value_bytes: int

    @property
    def num_values(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Contents:
    """What a file holds, and what each part takes.

    Attributes
    ----------
    name : str
        Of the model.
    weights : tuple of Weight
    architecture_bytes : int
        Of the packed JSON.
    total_bytes : int
        Of the file.
    """

    name: str
    weights: tuple[Weight, ...]
    architecture_bytes: int
    total_bytes: int

    @property
    def num_parameters(self) -> int:
        """How many values all weights have."""
        return sum(weight.num_values for weight in self.weights)

    @property
    def frame_bytes(self) -> int:
        """What magic, lengths, codings' numbers and checksum take."""
        payload = sum(weight.num_bytes for weight in self.weights)
        return self.total_bytes - self.architecture_bytes - payload

    @property
    def raw_bytes(self) -> int:
        """What the weights take as they are, each value in its dtype."""
        return sum(weight.num_values * weight.value_bytes for weight in self.weights)
