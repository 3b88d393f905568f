"""Reading a YAML file into settings; what is wrong is named by its line, all faults at once."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.faults import Fault, Location, faults_of

Settings = TypeVar("Settings")


def read_sections(path: Path | str, settings: type[Settings]) -> Settings:
    """Read a YAML file whose sections are the fields of a class of settings.

    Parameters
    ----------
    path : path
        The file; relative to the current folder.
    settings : type
        A class made by `slimderm.components.common.settings.settings`.

    Returns
    -------
    object
        Of that class. A section that is missing or empty has its defaults.

    Raises
    ------
    ParameterError
        If the file cannot be read or is no mapping, else with a line for each fault: file, line,
        key, what was received and what was expected.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text) or {}
        if not isinstance(document, dict):
            raise ParameterError(f"{path}: received {type(document).__name__}, expected sections")
        given = {name: values for name, values in document.items() if values is not None}
        # As JSON, where strict validation takes lists for tuples and 3 for 3.0, and no more.
        data = to_json(given, inf_nan_mode="constants", fallback=repr)
    except ParameterError:
        raise
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ParameterError(f"{path}: cannot be read as YAML ({error})") from error
    try:
        return TypeAdapter(settings).validate_json(data)
    except ValidationError as error:
        lines = _lines(yaml.compose(text))
        found = [(_line(lines, fault), fault) for fault in faults_of(error, settings)]
        found.sort(key=lambda entry: entry[0])
        message = "\n".join(f"{path}:{line}: {fault}" for line, fault in found)
        raise ParameterError(message) from None


def _line(lines: dict[Location, int], fault: Fault) -> int:
    """Return the line of a fault's key, or of the nearest around it."""
    place = fault.location
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _lines(node: yaml.Node | None, place: Location = ()) -> dict[Location, int]:
    """Map each place in a YAML document to its line, counted from 1."""
    found: dict[Location, int] = {}
    for step, start, value in _children(node):
        found[*place, step] = start.start_mark.line + 1
        found |= _lines(value, (*place, step))
    return found


def _children(node: yaml.Node | None) -> list[tuple[str | int, yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        return [(str(key.value), key, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [(index, value, value) for index, value in enumerate(node.value)]
    return []
