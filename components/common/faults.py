"""What is wrong with settings, in words for the person who wrote them.

What was expected is read from the JSON Schema of the settings, so it is said in one place.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

Location = tuple[str | int, ...]
Schema = Mapping[str, Any]

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
}
UNKNOWN = "unexpected_keyword_argument"
KEY = "[key]"  # pydantic's last step to the name of an entry in a mapping


@dataclass(frozen=True)
class Fault:
    """One fault: where it stands, and what was received and expected."""

    location: Location
    message: str

    @property
    def key(self) -> str:
        """The dotted key, such as ``train.epochs``; positions in lists are left out."""
        return ".".join(step for step in self.location if isinstance(step, str))

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


def faults_of(error: ValidationError, settings: type[Any]) -> list[Fault]:
    """Say each fault that pydantic found in settings.

    Parameters
    ----------
    error : ValidationError
        From validating `settings`.
    settings : type
        A class made by `slimderm.components.common.settings.settings`.
    """
    schema = TypeAdapter(settings).json_schema()
    details = error.errors(include_url=False)
    places = [tuple(detail["loc"]) for detail in details]
    return [
        _fault(detail, schema)
        for detail, place in zip(details, places, strict=True)
        # A list with a faulty element also counts as too short.
        if not any(other[: len(place)] == place and other != place for other in places)
    ]


def _fault(detail: Mapping[str, Any], schema: Schema) -> Fault:
    place, received = tuple(detail["loc"]), detail["input"]
    received = list(received) if isinstance(received, tuple) else received  # as it is written
    if detail["type"] == UNKNOWN:
        known = list(_at(schema, place[:-1]).get("properties", ()))
        what = "key" if len(place) > 1 or "$defs" not in schema else "section"
        return Fault(place, _unknown(str(place[-1]), known, what))
    if place[-1:] == (KEY,):
        place = place[:-1]
        names = _at(schema, place[:-1]).get("propertyNames", {"type": "string"})
        if "enum" in names:
            return Fault(place, _unknown(str(received), names["enum"], "key"))
        return Fault(place, f"received {received!r}, expected {expectation(names)}")
    if detail["type"] == "value_error":
        return _explained(place, str(detail["ctx"]["error"]), schema)
    if detail["type"] == "missing":  # a list of fixed length that is too short
        place = place[:-1]
    return Fault(place, f"received {received!r}, expected {expectation(_at(schema, place))}")


def _unknown(name: str, known: Sequence[str], what: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown {what}; expected one of {', '.join(known)}{hint}"


def _explained(place: Location, text: str, schema: Schema) -> Fault:
    """Put the fault at the key with which a check's own message begins, where it is one."""
    key, _, rest = text.partition(": ")
    if place and key == next((step for step in reversed(place) if isinstance(step, str)), None):
        return Fault(place, rest)
    if key in _at(schema, place).get("properties", ()):
        return Fault((*place, key), rest)
    return Fault(place, text)


def _at(schema: Schema, place: Location) -> Schema:
    """Return the part of a schema that describes the value at a place."""
    found = _resolved(schema, schema)
    for step in place:
        if isinstance(step, int):
            each = found.get("prefixItems")
            found = each[step] if each and step < len(each) else found["items"]
        else:
            found = found.get("properties", {}).get(step) or found["additionalProperties"]
        found = _resolved(found, schema)
    return found


def _resolved(part: Schema, schema: Schema) -> Schema:
    if "$ref" in part:
        return dict(schema["$defs"][part["$ref"].rsplit("/", 1)[1]])
    return part


def expectation(schema: Schema) -> str:
    """Say in words which values a schema admits, such as ``a whole number in [1, 100]``.

    Parameters
    ----------
    schema : mapping
        JSON Schema of one value, without references.
    """
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(expectation(option) for option in schema["anyOf"])
    kind = schema.get("type")
    if kind == "array":
        return _list(schema)
    if kind == "object":
        return _mapping(schema)
    return f"{KINDS[str(kind)]}{_range(schema)}"


def _list(schema: Schema) -> str:
    least, most = schema.get("minItems"), schema.get("maxItems")
    if least is not None and least == most:
        size = f" of {least}"
    else:
        size = f" of at least {least}" if least else ""
    element = schema["prefixItems"][0] if "prefixItems" in schema else schema.get("items", {})
    return f"a list{size}, each {expectation(element)}" if element else f"a list{size}"


def _mapping(schema: Schema) -> str:
    if "properties" in schema:
        return f"a mapping of keys, some of {', '.join(schema['properties'])}"
    names = schema.get("propertyNames", {})
    keys = f", each {expectation(names)}," if "enum" in names else ""
    values = schema.get("additionalProperties")
    kind = expectation(values) if isinstance(values, Mapping) and "$ref" not in values else "keys"
    return f"a mapping of names{keys} to {kind}"


def _range(schema: Schema) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    left = f"[{low:g}" if low is not None else f"({above:g}" if above is not None else ""
    right = f"{high:g}]" if high is not None else f"{below:g})" if below is not None else ""
    if left and right:
        return f" in {left}, {right}"
    if left:
        return f" of at least {low:g}" if low is not None else f" above {above:g}"
    if right:
        return f" of at most {high:g}" if high is not None else f" below {below:g}"
    return ""
