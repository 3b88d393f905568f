"""What the forms of Prefect's page offer.

Types, choices and descriptions are those of the settings. A value that is left empty is not given:
the run takes what ``params.yaml`` says.
"""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import ConfigDict, Field, GetJsonSchemaHandler, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

from slimderm.components.common.settings import OneOf
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params

RUN = (
    "networks",
    "train.epochs",
    "prune.schedule",
    "prune.factors",
    "prune.ratio",
    "prune.criterion",
    "prune.scope",
    "prune.init",
    "prune.acceptance",
)
WHERE = ("record.engine", "record.dask_address")

Function = TypeVar("Function", bound=Callable[..., Any])


class _Emptiable:
    """Shows a type that may be None as the type alone: else the form asks which of both it is."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        found = handler(schema)
        shown = [each for each in found.get("anyOf", []) if each.get("type") != "null"]
        return shown[0] if len(shown) == 1 else found


class _Recipes(Collection[str]):
    """The names of the recipes' files, read when they are asked for."""

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in layout.RECIPES.glob("*.yaml")))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, name: object) -> bool:
        return name in list(iter(self))


@dataclass(frozen=True)
class Entry:
    """One line of a form.

    Attributes
    ----------
    name : str
        Of the flow's parameter: of a key without its section.
    type : type
        What it takes.
    description : str
        What stands below its name.
    place : str
        Where its value belongs in ``params.yaml``: a section, or section and key; empty: nowhere.
    default : Any
        None: nothing is given.
    """

    name: str
    type: Any
    description: str
    place: str = ""
    default: Any = None


RECIPE = Entry(
    "recipe",
    Annotated[Annotated[str, OneOf(_Recipes())] | None, _Emptiable()],
    "A file of recipes/, without .yaml; what is given below goes before it.",
)
ITEM = Entry(
    "item",
    Annotated[str | None, _Emptiable()],
    "One of them by its name, such as lenet5; empty for all.",
)
AGENTS = Entry(
    "agents",
    bool,
    "Train and prune on the workers of pool gpu, networks side by side.",
    default=False,
)


def entry(place: str) -> Entry:
    """Return the line of a key such as ``train.epochs``, or of a section, its keys as a group."""
    section, _, key = place.partition(".")
    field = _fields(Params)[section]
    if key:
        field = _fields(field.annotation)[key]
    elif is_dataclass(field.annotation):
        return _group(section, tuple(_fields(field.annotation)))
    return Entry(key or section, _emptiable(field), str(field.description), place)


def _group(section: str, keys: Collection[str]) -> Entry:
    known = _fields(_fields(Params)[section].annotation)
    fields: dict[str, Any] = {
        key: (
            _emptiable(known[key]),
            Field(default=None, title=key, description=known[key].description),
        )
        for key in keys
    }
    group = create_model(f"Section {section}", __config__=ConfigDict(extra="forbid"), **fields)
    description = f"Section {section}; what is left empty is as params.yaml says."
    return Entry(section, Annotated[group | None, _Emptiable()], description, section)


def _fields(settings: Any) -> dict[str, FieldInfo]:
    return dict(settings.__pydantic_fields__)


def _emptiable(field: FieldInfo) -> Any:
    kind: Any = field.annotation
    for limit in field.metadata:
        kind = Annotated[kind, limit]
    return Annotated[kind | None, _Emptiable()]


def of_stage(stage: str) -> tuple[Entry, ...]:
    """Return the lines of what ``dvc.yaml`` says that a stage reads of ``params.yaml``.

    Studies and recipes of passes, which have names that one chooses, are left out.
    """
    described = yaml.safe_load(layout.DVC_YAML.read_text())["stages"][stage]
    keys: dict[str, list[str]] = {}
    for place in described.get("do", described).get("params", []):
        section, _, key = place.partition(".")
        keys.setdefault(section, []).extend([key] if key else [])
    known = _fields(Params)
    return tuple(
        _group(section, chosen) if chosen else entry(section)
        for section, chosen in keys.items()
        if section == "networks" or is_dataclass(known[section].annotation)
    )


def repeats(stage: str) -> bool:
    """Return whether ``dvc.yaml`` has a stage once for each network, study or recipe."""
    return "foreach" in yaml.safe_load(layout.DVC_YAML.read_text())["stages"][stage]


def offers(entries: Collection[Entry]) -> Callable[[Function], Function]:
    """Make lines the form of a function that takes them as ``**given``."""

    def add(function: Function) -> Function:
        signature = inspect.signature(function)
        lines = [
            inspect.Parameter(
                each.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=each.default,
                annotation=each.type,
            )
            for each in entries
        ]
        function.__signature__ = signature.replace(parameters=lines)  # type: ignore[attr-defined]
        said = "".join(f"\n    {each.name}: {each.description}" for each in entries)
        function.__doc__ = f"{inspect.getdoc(function)}\n\nArgs:{said}"
        return function

    return add


def sections(entries: Collection[Entry], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was given of a form, as sections of ``params.yaml``."""
    found: dict[str, Any] = {}
    for each in entries:
        value = to_jsonable_python(given.get(each.name), exclude_none=True)
        section, _, key = each.place.partition(".")
        if not each.place or value in (None, {}):
            continue
        if key:
            found.setdefault(section, {})[key] = value
        else:
            found[section] = value
    return found
