"""A trained network with all that it needs to answer for a photograph and a person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from slimderm.components.classification.inputs import model_inputs, prepare
from slimderm.components.classification.person import read_age, read_word
from slimderm.components.classification.pixels import read_image_or_pixels
from slimderm.components.common.errors import ImageError, SchemaError
from slimderm.components.evaluation.calibration import tempered

MAX_FAULTS = 5  # of a request, that its error shows
AT_ONCE = 32  # images that a network takes in one batch
PEOPLE = {"age": "", "sex": "sexes", "localization": "localizations"}  # column: the encoder's words

Value = TypeVar("Value")
Columns = Callable[[Sequence[np.ndarray], pd.DataFrame], Mapping[str, Sequence[Any]]]


def columns_of(description: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what a model is asked with: ``image``, and a person's data unless it sees images alone.

    Parameters
    ----------
    description : mapping
        As `slimderm.flows.work.training.Trainer.description` gives it.
    """
    return ("image",) if description["image_only"] else ("image", *PEOPLE)


def network_answer(
    network: Any,
    images: Sequence[np.ndarray],
    people: pd.DataFrame,
    description: Mapping[str, Any],
) -> Any:
    """Return what a Keras model gives for images and people, as `Classifier.answer` takes them."""
    inputs = model_inputs(images, people, description)
    if len(images) <= AT_ONCE:  # a fraction of the time, of which predict's loop takes most
        return network.predict_on_batch(inputs)
    return network.predict(inputs, verbose=0)


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
    file : str
        What answers: the Keras model, or a file's target and its bytes.
    extra_columns : callable, optional
        Takes what `answer` takes, and gives columns that every answer gets.
    """

    model: Any
    description: Mapping[str, Any]
    temperature: float | None = None
    file: str = "Keras model"
    extra_columns: Columns | None = None

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
        rows = [f"row {number}, " for number in range(len(asked))] if len(asked) > 1 else [""]
        columns = Asked(asked, rows)
        images = columns.read("image", self._prepare)
        people = self._people(columns)
        return self.answer(images, people)

    def people(self, asked: pd.DataFrame) -> pd.DataFrame:
        """Read age, sex and localization of people whose images come later, for `answer`.

        Parameters
        ----------
        asked : DataFrame
            ``age``, ``sex`` and ``localization`` as for `classify`; the index names the rows.

        Returns
        -------
        DataFrame
            The same, every value one that the model knows; no columns where it sees images alone.

        Raises
        ------
        SchemaError
            If values are not what is expected: the message names row and column of the first five.
        """
        return self._people(Asked(asked, [f"{name}, " for name in asked.index]))

    def answer(self, images: Sequence[np.ndarray], people: pd.DataFrame) -> pd.DataFrame:
        """Give class and probabilities, as `classify`, of what was read already.

        Parameters
        ----------
        images : sequence of N uint8 arrays of shape (height, width, 3)
            As `slimderm.components.classification.inputs.prepare` gives them.
        people : DataFrame
            N rows, as `people` gives them.
        """
        table = self._table(self._given(images, people), people.index)
        if self.extra_columns is None:
            return table
        return table.assign(**self.extra_columns(images, people))

    def _given(self, images: Sequence[np.ndarray], people: pd.DataFrame) -> Any:
        return network_answer(self.model, images, people, self.description)

    def _calibrated(self, given: Any) -> np.ndarray:
        return tempered(given, self.temperature or 1.0)

    def _table(self, given: Any, index: pd.Index) -> pd.DataFrame:
        """Lay out what the network gives, (N, C)."""
        probabilities = self._calibrated(given)
        classes = list(self.description["classes"])
        answer = pd.DataFrame(probabilities, columns=classes, index=index)
        answer.insert(0, "predicted", [classes[index] for index in probabilities.argmax(axis=1)])
        return answer.assign(calibrated=self.temperature is not None)

    def _people(self, columns: "Asked") -> pd.DataFrame:
        _, *names = columns_of(self.description)
        people = {name: columns.read(name, self._reader(name)) for name in names}
        columns.check()
        return pd.DataFrame(people, index=columns.asked.index)

    def _prepare(self, given: Any) -> np.ndarray:
        return prepare(read_image_or_pixels(given), self.description)

    def _reader(self, name: str) -> Callable[[Any], Any]:
        if name == "age":
            return read_age
        known = self.description["encoder"][PEOPLE[name]]
        return lambda given: read_word(given, known)


@dataclass(frozen=True)
class Asked:
    """A table's columns, read value by value; what is wrong is gathered, and said at once."""

    asked: pd.DataFrame
    rows: Sequence[str]  # what a message calls each
    faults: list[str] = field(default_factory=list)

    def read(self, name: str, read: Callable[[Any], Value]) -> list[Value]:
        """Read a column; a value that is at fault is missing."""
        found = []
        for row, value in zip(self.rows, self.asked[name], strict=True):
            try:
                found.append(read(value))
            except (ImageError, SchemaError) as error:
                self.faults.append(f"{row}{name}: {error}")
        return found

    def check(self) -> None:
        """Raise one error for all that are at fault."""
        if self.faults:
            more = len(self.faults) - MAX_FAULTS
            rest = [f"and {more} more"] if more > 0 else []
            raise SchemaError("\n".join([*self.faults[:MAX_FAULTS], *rest]))
