"""One photograph and a person's data, as they are asked, to what is answered."""

import logging
from typing import Annotated, Any

import pandas as pd
from pydantic import BaseModel, Field

from slimderm.components.classification.classifier import PEOPLE, columns_of
from slimderm.components.classification.picture import look_of, warnings_of
from slimderm.components.classification.pixels import read_image_or_pixels
from slimderm.components.common.errors import SchemaError
from slimderm.components.dataset.images import decode_image
from slimderm.components.dataset.metadata import UNKNOWN
from slimderm.components.monitoring.inputs import Pixels, picture_numbers
from slimderm.flows.serving.service.champion import Served
from slimderm.flows.serving.watch.recorder import Recorder, input_row

LOGGER = logging.getLogger("uvicorn.error")

NOTE = "Not a medical device: a suggestion for research and training, no diagnosis."
Word = Annotated[str | None, Field(max_length=100)]


class Person(BaseModel, extra="forbid"):
    """What is known of a person and a lesion; null where it is not."""

    age: float | None = Field(None, description="Years, 0 to 120.", examples=[45])
    sex: Word = Field(None, description="As training had it.", examples=["female"])
    localization: Word = Field(None, description="Site of the lesion.", examples=["back"])


class Asked(Person):
    """A photograph as base64, and what is known of the person."""

    image: str = Field(description="The image file's bytes as base64.", examples=["/9j/4AAQ…"])


class Model(BaseModel):
    """Which version answered."""

    name: str
    version: str
    network: str
    classes: list[str]
    calibrated: bool = Field(description="Whether a review has fitted the probabilities.")
    sexes: list[str] = Field(description="Words that it knows; none where it sees images alone.")
    localizations: list[str]
    since: str = Field(description="When the service loaded it, UTC.")
    file: str = Field(description="What answers: the shipped file and its bytes, or Keras's model.")


class Answer(BaseModel):
    """Probabilities of the classes, and what should make one careful."""

    predicted: str
    probabilities: dict[str, float] = Field(description="They sum to 1.")
    warnings: list[str] = Field(description="How the request differs from what the model knows.")
    prediction_id: str | None = Field(
        None, description="For `make feedback`; null where the service records nothing."
    )
    model: Model
    note: str = NOTE


def person_of(age: str, sex: str, localization: str) -> Person:
    """Read the fields of a form, where empty is unknown.

    Raises
    ------
    SchemaError
        If the age is no number.
    """
    try:
        years = float(age) if age.strip() else None
    except ValueError:
        raise SchemaError(f"age: received {age[:40]!r}, expected years from 0 to 120") from None
    return Person(age=years, sex=sex.strip() or None, localization=localization.strip() or None)


def answer(
    served: Served, image: bytes | str, person: Person, recorder: Recorder | None = None
) -> Answer:
    """Classify a photograph; record statistics of it where a recorder is given.

    Raises
    ------
    SchemaError, ImageError
        If the image cannot be read, or the age is none; the message says what is expected.
    """
    classifier = served.classifier
    warnings: list[str] = []
    row: dict[str, Any] = {"image": read_image_or_pixels(image)}
    known = classifier.description.get("encoder") or {}
    read = columns_of(classifier.description)[1:]
    unread = [name for name in PEOPLE if name not in read and getattr(person, name) is not None]
    if unread:
        warnings.append(f"{', '.join(unread)}: not read, this network sees images alone")
    for name in read:
        value = getattr(person, name)
        words = known.get(PEOPLE[name])
        if words and value not in (None, UNKNOWN, *words):
            warnings.append(
                f"{name}: {value!r} is not one of {', '.join(words[1:])}; taken as unknown"
            )
            value = UNKNOWN
        row[name] = value
    (found,) = classifier.classify(pd.DataFrame([row])).to_dict("records")
    pixels = decode_image(row.pop("image"))
    height, width = classifier.description["size"]
    return Answer(
        predicted=found["predicted"],
        probabilities={name: found[name] for name in classifier.description["classes"]},
        warnings=[*warnings, *warnings_of(look_of(pixels), (height, width))],
        prediction_id=_recorded(recorder, served, pixels, found, row) if recorder else None,
        model=Model(**served.described),
    )


def _recorded(
    recorder: Recorder,
    served: Served,
    pixels: Pixels,
    found: dict[str, Any],
    person: dict[str, Any],
) -> str | None:
    """Record an input; where that fails, say so in the log, and answer all the same."""
    row = input_row(picture_numbers(pixels), found, person)
    try:
        return recorder.keep(served.name, served.version, [row])[0]
    except OSError as error:
        LOGGER.error("an input could not be recorded: %s", error)
        return None
