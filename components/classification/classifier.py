"""A trained network with all that it needs to answer for a photograph and a person."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from slimderm.components.classification.inputs import model_inputs, prepare
from slimderm.components.classification.person import read_age, read_word
from slimderm.components.classification.pixels import read_image_or_pixels
from slimderm.components.common.errors import ImageError, SchemaError
from slimderm.components.evaluation.calibration import tempered

MAX_FAULTS = 5  # of a request, that its error shows
PEOPLE = {"age": "", "sex": "sexes", "localization": "localizations"}  # column: the encoder's words

Value = TypeVar("Value")


def columns_of(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what a model is asked with: ``image``, and a person's data unless it sees images alone.

    Parameters
    ----------
    description : mapping
        As `slimderm.flows.work.training.Trainer.description` gives it.
    """
    return ("image",) if description["image_only"] else ("image", *PEOPLE)


@dataclass(frozen=True)
class Classifier:
    """A network, its preprocessing, and the temperature that calibrates it.

    Attributes
    ----------
    model : keras.Model
    description : mapping
        As `slimderm.flows.work.training.Trainer.description` gives it.
    temperature : float or None
        None where nobody has fitted one; then probabilities are those of the network.
    """

    model: Any
    description: Mapping[str, Any]
    temperature: float | None = None

    def classify(self, asked: pd.DataFrame) -> pd.DataFrame:
        """Give each row's class and probabilities.

        Parameters
        ----------
        asked : DataFrame
            ``image``: a file's bytes, the same as base64, or pixels in 0..255. Unless the network
            sees images alone, ``age`` in years, ``sex`` and ``localization``; each null where it is
            unknown. Encoding and standardising are done here.

        Returns
        -------
        DataFrame
            ``predicted``, the class; its probability and that of every other class under the
            class's name, which sum to 1; ``calibrated``, whether a temperature was applied.

        Raises
        ------
        SchemaError
            If a column is missing, there is no row, or values are not what is expected: the message
            names row and column of the first five, the row where there are several.
        """
        missing = [name for name in columns_of(self.description) if name not in asked]
        if missing or asked.empty:
            received = f"columns {', '.join(map(str, asked.columns))}" if missing else "no row"
            expected = ", ".join(columns_of(self.description))
            raise SchemaError(f"received {received}, expected {expected}, one row an image")
        images, people = self._read(asked)
        given = self.model.predict(model_inputs(images, people, self.description), verbose=0)
        probabilities = tempered(given, self.temperature or 1.0)
        classes = list(self.description["classes"])
        answer = pd.DataFrame(probabilities, columns=classes, index=asked.index)
        answer.insert(0, "predicted", [classes[index] for index in probabilities.argmax(axis=1)])
        return answer.assign(calibrated=self.temperature is not None)

    def _read(self, asked: pd.DataFrame) -> tuple[list[np.ndarray], pd.DataFrame]:
        """Read every row; raise one error for all that are at fault."""
        faults: list[str] = []
        row = "row {}, " if len(asked) > 1 else ""

        def column(name: str, read: Callable[[Any], Value]) -> list[Value]:
            found = []
            for number, value in enumerate(asked[name]):
                try:
                    found.append(read(value))
                except (ImageError, SchemaError) as error:
                    faults.append(f"{row.format(number)}{name}: {error}")
            return found

        images = column("image", self._prepare)
        _, *others = columns_of(self.description)
        people = {name: column(name, self._reader(name)) for name in others}
        if faults:
            more = len(faults) - MAX_FAULTS
            rest = [f"and {more} more"] if more > 0 else []
            raise SchemaError("\n".join([*faults[:MAX_FAULTS], *rest]))
        return images, pd.DataFrame(people, index=asked.index)

    def _prepare(self, given: Any) -> np.ndarray:
        return prepare(read_image_or_pixels(given), self.description)

    def _reader(self, name: str) -> Callable[[Any], Any]:
        if name == "age":
            return read_age
        known = self.description["encoder"][PEOPLE[name]]
        return lambda given: read_word(given, known)
