"""The section slim of ``params.yaml``: recipes, each of passes over one network."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Count, NonEmpty, OneOf, Positive, settings
from slimderm.components.training.networks import TRAINABLE

STARTS = {
    "unpruned": "the network as it was trained",
    "smallest": "the smallest that pruning left and that is accepted",
}
OWN = ("pass", "epochs")  # of an entry; the others are the pass's settings
TEACHER = "teacher"  # a setting that a recipe fills in: its network, unpruned


@settings
class SlimSettings:
    """One recipe: passes over one network, one after the other."""

    network: Annotated[str, OneOf(TRAINABLE)] = Field(description="One of networks.")
    passes: NonEmpty[dict[str, Any]] = Field(
        description="Each by its name (pass), the epochs of each training in it (epochs, default "
        "0), and its own settings, as docs/slim-your-own.md lists them; in the order that changes "
        "shapes first, then zeros, then values."
    )
    start: Annotated[str, OneOf(STARTS)] = Field(
        default="unpruned",
        description="; ".join(f"{name}: {what}" for name, what in STARTS.items()) + ".",
    )
    learning_rate: Positive = Field(default=0.0005, description="Of the trainings in passes.")
    data_batches: Count = Field(
        default=8, description="Batches of the training part, for passes that look at data."
    )

    def check(self) -> None:
        """Refuse passes that are not there, cannot be as they are set, or undo each other.

        Keras is imported for it: whoever only reads parameters does not wait for that.

        Raises
        ------
        ParameterError
            Naming the pass by its place, from 1.
        """
        from slimderm.components.network_compression.recipe import check_order

        check_order([self.step(index, _no_teacher) for index in range(len(self.passes))])

    def step(self, index: int, teacher: Callable[[], Any]) -> Any:
        """Return a pass with its epochs.

        Parameters
        ----------
        index : int
            From 0.
        teacher : callable
            Gives the model that a pass learns from; called if the pass learns from one.

        Returns
        -------
        slimderm.components.network_compression.recipe.Step

        Raises
        ------
        ParameterError
            For a name or a setting that there is not, or a value out of its range.
        """
        from slimderm.components.network_compression.recipe import Step
        from slimderm.components.network_compression.table import get

        given, number = self.passes[index], index + 1
        values = {name: value for name, value in given.items() if name not in OWN}
        try:
            kind = get(given.get("pass", ""))
            if TEACHER in values:
                raise ParameterError(f"{TEACHER}: received one, expected none: it is the network")
            # As JSON: of Python's values a strict pydantic takes no mapping for a class.
            made = TypeAdapter(kind).validate_json(json.dumps(values), strict=True)
            if TEACHER in kind.__dataclass_fields__:
                made = replace(made, **{TEACHER: teacher()})
            return Step(made, given.get("epochs", 0))
        except ValidationError as error:
            faults = "; ".join(_in_words(each, kind) for each in error.errors(include_url=False))
            raise ParameterError(f"passes: {number}: {faults}") from None
        except ParameterError as error:
            raise ParameterError(f"passes: {number}: {error}") from None


def _no_teacher() -> None:
    """Stand for a teacher where settings are only checked."""


def _in_words(fault: Any, kind: type[Any]) -> str:
    place = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    if fault["type"] == "unexpected_keyword_argument":
        known = ", ".join(name for name in kind.__dataclass_fields__ if name not in OWN)
        return f"{place}: received a setting that there is not, expected one of {known}"
    return f"{place}: received {fault['input']!r}: {fault['msg'].lower()}"
