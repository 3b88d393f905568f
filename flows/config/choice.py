"""What the pipeline has chosen: how images are stored, and the input size of the networks."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.config import layout


@dataclass(frozen=True)
class StorageOption:
    """How an image is stored: singular values a channel, encoder, and the encoder's quality.

    ``k`` is None where no SVD is taken.
    """

    k: int | None
    codec: str
    quality: int


@dataclass(frozen=True)
class Saved:
    """A choice kept as a JSON file.

    ``rule`` names how it was made, ``reason`` is a sentence for a person.
    """

    rule: str
    reason: str

    def save(self, path: Path | str) -> None:
        """Write the choice, keys in order."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        RecordError
            If it lacks a part of the choice, or is no JSON.
        """
        try:
            values = read_json(path)
            return cls(**{field.name: values[field.name] for field in fields(cls)})
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"{path}: received no whole choice ({error!r}), expected what its stage wrote; "
                "delete it and run again"
            ) from error


@dataclass(frozen=True)
class StorageChoice(Saved):
    """How the dataset is stored; ``evidence`` holds the table's rows that decided."""

    k: int | None
    codec: str
    quality: int
    evidence: Sequence[dict[str, Any]]

    @property
    def option(self) -> StorageOption:
        """The choice without its reasons."""
        return StorageOption(self.k, self.codec, self.quality)


@dataclass(frozen=True)
class InputSize(Saved):
    """The size at which networks see images, in pixels."""

    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width


def storage_choice() -> StorageChoice:
    """Read what the step choose wrote."""
    return StorageChoice.load(layout.CHOICE)


def input_size() -> InputSize:
    """Read what the step resize wrote."""
    return InputSize.load(layout.INPUT_SIZE)
