"""Types of the lines of a form: one that may be left empty, and the names of the recipes."""

from collections.abc import Sequence
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from slimderm.flows.config import layout


class Emptiable:
    """Makes a type one that may be left empty, and shows the type alone.

    Of a type with None the form would ask which of both it is. A default of null it would send, and
    the server would refuse it; so the default is one that stands in no schema.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default_factory=lambda: None)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(schema)
        shown = [each for each in found.get("anyOf", []) if each.get("type") != "null"]
        return shown[0] if len(shown) == 1 else found


class Recipes(Sequence[str]):
    """The names of the recipes' files, read when they are asked for."""

    def __getitem__(self, place: Any) -> Any:
        return sorted(path.stem for path in layout.RECIPES.glob("*.yaml"))[place]

    def __len__(self) -> int:
        return len(self[:])
