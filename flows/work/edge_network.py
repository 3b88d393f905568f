"""A network that is to be shipped, with what is known beside its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Network:
    """What is exported.

    Attributes
    ----------
    model : keras.Model
    name : str
        For people: a file's name, or the registered model's with its version.
    white : float
        What a white pixel is in the images that it takes.
    temperature : float or None
        None where nobody has fitted one.
    description : mapping or None
        Of a version, as `slimderm.flows.work.training.Trainer.description` gives it.
    trained_on : frozenset of str or None
        Lesions of its training; None where nobody knows.
    """

    model: Any
    name: str
    white: float = 255.0
    temperature: float | None = None
    description: Mapping[str, Any] | None = None
    trained_on: frozenset[str] | None = None

    @property
    def encoder(self) -> Mapping[str, Any] | None:
        """How age, sex and site become numbers; None where nobody knows or the network has none."""
        told = self.description or {}
        return None if told.get("image_only", True) else told["encoder"]

    @property
    def preparation(self) -> str | None:
        """How training images came to their size; None where nobody knows."""
        if not self.description:
            return None
        told = self.description
        height, width = told["size"]
        words = (
            f"Images are brought to {height} rows of {width} by averaging areas (OpenCV INTER_AREA)"
        )
        if told["variant"] == "original":
            return f"{words}, not cropped."
        rank = f"truncated to rank {told['k']} and " if told["k"] else ""
        return (
            f"{words}, not cropped. Training images had been {rank}stored as {told['codec']} of "
            f"quality {told['quality']} before; the file does not do that for you."
        )
