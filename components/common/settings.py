"""Settings: frozen dataclasses that check their values; pydantic does the checking.

One class stands for one section of ``params.yaml``. The class alone says what each key means,
which values it takes and its default::

    @settings
    class CompressSettings:
        quality: Annotated[int, Field(ge=1, le=100)] = Field(default=95, description="…")

`dataclasses.replace`, `asdict` and `fields` work on them; ``replace`` checks again.
"""

from collections.abc import Collection
from dataclasses import field
from functools import wraps
from typing import Annotated, Any, TypeVar, cast, dataclass_transform

import pydantic.dataclasses
from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.faults import faults_of

# Strict: true is no number and "3" no 3; but 3 is 3.0.
CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Ratio = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
Tolerance = Annotated[float, Field(ge=0, le=1)]
Confidence = Annotated[float, Field(gt=0.5, lt=1)]

Class = TypeVar("Class")
Element = TypeVar("Element")
NonEmpty = Annotated[tuple[Element, ...], Field(min_length=1)]


@dataclass_transform(frozen_default=True, field_specifiers=(field, Field))
def settings(cls: type[Class]) -> type[Class]:
    """Make a class a frozen dataclass whose values are checked.

    Parameters
    ----------
    cls : type
        Annotated fields, each with its default and description in pydantic's ``Field``.

    Returns
    -------
    type
        Its constructor raises `ParameterError` for an unknown key, a value of another type or out
        of its range, or values that contradict each other: a line for each fault.
    """
    made = pydantic.dataclasses.dataclass(frozen=True, config=CONFIG)(cls)
    check = made.__init__

    @wraps(check)
    def construct(self: Any, *args: Any, **values: Any) -> None:
        try:
            check(self, *args, **values)
        except ValidationError as error:
            faults = faults_of(error, made)
            raise ParameterError("\n".join(map(str, faults))) from None

    made.__init__ = construct  # type: ignore[method-assign]
    return cast(type[Class], made)


class OneOf:
    """Admits the names of a table; what is added to the table later is admitted, too.

    To be used as ``Annotated[str, OneOf(CODECS)]``.

    Parameters
    ----------
    names : collection of str
        A table by name, or the names.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def check(self, value: str) -> str:
        """Return the value if it is one of the names, else raise `ParameterError`."""
        if value not in self.names:
            raise ParameterError(f"received {value!r}, expected one of {', '.join(self.names)}")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | {"enum": list(self.names)}
