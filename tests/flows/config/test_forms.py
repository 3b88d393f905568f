"""Prefect's forms: every parameter of a deployed flow has a description, every choice its list."""

import json
import re
from types import SimpleNamespace

import pytest
import yaml
from prefect.exceptions import ParameterTypeError
from prefect.utilities.callables import get_call_parameters, parameter_schema
from prefect.utilities.schema_tools.validation import validate

from slimderm.flows import pipeline as module
from slimderm.flows.agents.agent import agent
from slimderm.flows.base.code import ROOT
from slimderm.flows.config import form
from slimderm.flows.pipeline import pipeline, step_of
from slimderm.flows.steps.table import STAGES

WRITTEN = json.loads((ROOT / "params.schema.json").read_text())  # what editors show
DESCRIBED = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
SAID = ("description", "enum", "items", "minimum", "exclusiveMinimum", "exclusiveMaximum")


def section(name):
    place = WRITTEN["properties"][name]
    return WRITTEN["$defs"][place["$ref"].rpartition("/")[2]]["properties"]


def group(flow, line):
    """The lines of a group; none where a line is none."""
    name = line.get("$ref", "").rpartition("/")[2]
    return flow.parameters.definitions[name]["properties"] if name else {}


def shown(flow):
    """The lines of a form by name; of a group its own lines."""
    return {name: group(flow, line) or line for name, line in flow.parameters.properties.items()}


def lines(flow):
    for name, line in flow.parameters.properties.items():
        yield name, line
        yield from ((f"{name}.{key}", each) for key, each in group(flow, line).items())


FLOWS = [pipeline, agent, *map(step_of, STAGES)]


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.fn.__name__)
def test_every_line_has_a_description_and_asks_for_no_type(flow):
    for name, line in lines(flow):
        assert line.get("description", "").endswith("."), name
        assert "null" not in str(line.get("anyOf", "")), name
        assert line.get("default", "") is not None, name


def test_the_pipelines_form_is_that_of_the_parameters():
    found = shown(pipeline)
    assert list(found)[:2] == ["recipe", "networks"]
    for place in form.RUN:
        name, _, key = place.partition(".")
        written = section(name)[key] if key else WRITTEN["properties"][name]
        assert {each: found[key or name].get(each) for each in SAID} == {
            each: written.get(each) for each in SAID
        }, place
    assert {"l1", "taylor", "uninformed"} <= set(found["criterion"]["enum"])
    assert {"noninferior", "paper"} <= set(found["acceptance"]["enum"])


def test_a_recipe_is_chosen_from_the_folder():
    files = {path.stem for path in (ROOT / "recipes").glob("*.yaml")}
    assert set(shown(pipeline)["recipe"]["enum"]) == files


@pytest.mark.parametrize("stage", STAGES)
def test_a_steps_form_shows_what_the_stage_reads_and_nothing_else(stage):
    described, found = DESCRIBED[stage], set(shown(step_of(stage)))
    read = {place.partition(".")[0] for place in described.get("do", described).get("params", [])}
    assert found - {"item", "agents", "engine", "dask_address"} == read - {"studies", "slim"}
    assert ("item" in found) == ("foreach" in described)
    assert ("agents" in found) == STAGES[stage].trains
    assert ("engine" in found) == ("dask_address" in found) == STAGES[stage].chunks


def test_a_steps_form_shows_every_key_of_a_section_or_the_one_that_it_reads():
    assert set(shown(step_of("prune"))["prune"]) == set(section("prune"))
    assert set(shown(step_of("storage"))["compress"]) == {"ranks"}
    written = section("sweep")["sampling"]
    assert shown(step_of("sweep"))["sweep"]["sampling"]["enum"] == written["enum"]


@pytest.mark.parametrize("flow", [pipeline, step_of("prune")], ids=lambda flow: flow.fn.__name__)
def test_what_a_form_sends_is_taken_by_the_server(flow):
    schema = parameter_schema(flow).model_dump()  # as `prefect deploy` asks
    assert schema == flow.parameters.model_dump()
    assert not schema["required"]
    left = {"agents": True, "networks": None, "ratio": None}  # as the page sends what was emptied
    sent = {name: value for name, value in left.items() if name in schema["properties"]}
    validate(sent, schema, raise_on_error=True)
    taken = flow.validate_parameters(get_call_parameters(flow.fn, (), sent))
    assert {name: value for name, value in taken.items() if value is not None} == {"agents": True}


def test_what_is_given_belongs_to_its_section_and_what_is_empty_nowhere():
    given = {"recipe": None, "networks": ("lenet5",), "epochs": 2, "criterion": None}
    entries = tuple(map(form.entry, form.RUN))
    assert form.sections(entries, given) == {"networks": ["lenet5"], "train": {"epochs": 2}}
    taken = step_of("prune").validate_parameters({"prune": {"ratio": 0.3}, "train": {}})
    known = form.of_stage("prune")
    assert form.sections(known, taken) == {"prune": {"ratio": 0.3}}


@pytest.mark.parametrize(
    "given", [{"criterion": "l3"}, {"ratio": 1.5}, {"recipe": "none"}, {"networks": []}]
)
def test_a_value_that_is_no_choice_is_refused(given, caplog):
    with pytest.raises(ParameterTypeError):
        pipeline.validate_parameters(given)


def test_a_run_is_named_by_what_it_was_given(monkeypatch):
    given = {"recipe": None, "epochs": 1, "criterion": "l1", "agents": True, "ratio": None}
    monkeypatch.setattr(module, "flow_run", SimpleNamespace(parameters=given))
    monkeypatch.setattr(module, "person", lambda: "anna")
    name, _, values = module._name().partition(", ")
    assert re.fullmatch(r"pipeline \d{4}-\d\d-\d\d \d\d:\d\d:\d\d by anna", name)
    assert values == "epochs 1, criterion l1"
