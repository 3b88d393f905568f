"""Reading a YAML file whose sections are frozen dataclasses; what is wrong is named by its line."""

import types
import typing
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import describe_range


def _coerce(value: Any, hint: Any) -> Any:
    """Return `value` as `hint` wants it (lists become tuples), or raise TypeError."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _coerce(value, next(option for option in arguments if option is not type(None)))
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError
        return tuple(_coerce(element, arguments[0]) for element in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError
        return {key: _coerce(element, arguments[1]) for key, element in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError
    return value


def _lines(node: yaml.Node | None, prefix: str = "") -> dict[str, int]:
    """Map each dotted key of a composed YAML document to its line, counted from 1."""
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            found[name] = key.start_mark.line + 1
            found |= _lines(value, f"{name}.")
    return found


def _kind(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if not typing.get_args(hint) else str(hint)


def read_section(cls: type[Any], values: Any, name: str, place: "Place") -> Any:
    """Turn a section's values into a frozen dataclass.

    Raises
    ------
    ParameterError
        If a key is unknown, or a value is of the wrong type or out of its range.
    """
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ParameterError(f"{place(name)}: received {values!r}, expected a mapping of keys")
    declared = {entry.name: entry for entry in fields(cls)}
    hints = typing.get_type_hints(cls)
    arguments = {}
    for key, value in values.items():
        where = f"{name}.{key}"
        if key not in declared:
            known = ", ".join(declared)
            raise ParameterError(f"{place(where)}: unknown key; expected one of {known}")
        try:
            arguments[key] = _coerce(value, hints[key])
        except TypeError:
            limits = declared[key].metadata and describe_range(declared[key])
            wanted = _kind(hints[key]) + (f", {limits}" if limits else "")
            raise ParameterError(f"{place(where)}: received {value!r}, expected {wanted}") from None
    try:
        return cls(**arguments)
    except ParameterError as error:
        key = str(error).split(":", 1)[0]
        where = f"{name}.{key}" if key in declared else name
        detail = str(error).split(":", 1)[1].strip() if key in declared else str(error)
        raise ParameterError(f"{place(where)}: {detail}") from None


class Place:
    """Says where a dotted key stands: ``params.yaml:12: prune.factors``."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = _lines(yaml.compose(text))

    def __call__(self, name: str) -> str:
        """Name the file, the line and the key."""
        line = self.lines.get(name, self.lines.get(name.rsplit(".", 1)[0], 1))
        return f"{self.path}:{line}: {name}"


def read_document(path: Path | str, sections: Collection[str]) -> tuple[dict[str, Any], Place]:
    """Read a YAML file that holds some of the sections and nothing else.

    Raises
    ------
    ParameterError
        If it cannot be read, is no mapping, or has a section that nobody knows.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ParameterError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(document, dict):
        raise ParameterError(f"{path}: received {type(document).__name__}, expected sections")
    place = Place(path, text)
    for name in document:
        if name not in sections:
            raise ParameterError(
                f"{place(name)}: unknown section; expected one of {', '.join(sections)}"
            )
    return document, place
