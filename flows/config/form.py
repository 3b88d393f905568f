"""What the forms of Prefect's page offer.

Types, choices and descriptions are those of the settings. A value that is left empty is not given:
the run takes what ``params.yaml`` says.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Annotated, Any

import yaml
from prefect import Flow
from prefect.utilities.callables import parameter_schema
from pydantic import ConfigDict, Field, create_model
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

from slimderm.components.common.settings import OneOf
from slimderm.flows.config import layout
from slimderm.flows.config.form_types import Emptiable, Recipes
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
    Annotated[Annotated[str, OneOf(Recipes())] | None, Emptiable()],
    "A file of recipes/, without .yaml; what is given below goes before it.",
)
ITEM = Entry(
    "item",
    Annotated[str | None, Emptiable()],
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
            Field(title=key, description=known[key].description),
        )
        for key in keys
    }
    group = create_model(f"Section {section}", __config__=ConfigDict(extra="forbid"), **fields)
    description = f"Section {section}; what is left empty is as params.yaml says."
    return Entry(section, Annotated[group | None, Emptiable()], description, section)


def _fields(settings: Any) -> dict[str, FieldInfo]:
    return dict(settings.__pydantic_fields__)


def _emptiable(field: FieldInfo) -> Any:
    kind: Any = field.annotation
    for limit in field.metadata:
        kind = Annotated[kind, limit]
    return Annotated[kind | None, Emptiable()]


def of_stage(stage: str) -> tuple[Entry, ...]:
    """Return the lines of what ``dvc.yaml`` says that a stage reads of ``params.yaml``.

    Studies and recipes of passes, which have names that one chooses, are left out.
    """
    described = _described(stage)
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
    return "foreach" in _described(stage)


def _described(stage: str) -> dict[str, Any]:
    return dict(yaml.safe_load(layout.DVC_YAML.read_text())["stages"][stage])


def offers(entries: Collection[Entry]) -> Callable[[Flow[..., Any]], Flow[..., Any]]:
    """Make lines the form of a flow whose function takes them as ``**given``."""

    def add(flow: Flow[..., Any]) -> Flow[..., Any]:
        flow.fn.__signature__ = _signature(entries, lambda each: each.default)
        # Of the flow, unlike of its function, Prefect asks for what its form shows.
        flow.__signature__ = _signature(entries, _shown)
        flow.parameters = parameter_schema(flow)
        return flow

    return add


def _shown(line: Entry) -> Any:
    default = PydanticUndefined if line.default is None else line.default
    return Field(default=default, description=line.description)


def _signature(entries: Collection[Entry], default: Callable[[Entry], Any]) -> inspect.Signature:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [
            inspect.Parameter(each.name, kind, default=default(each), annotation=each.type)
            for each in entries
        ]
    )


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
