"""Prefect's forms: every parameter of a deployed flow has a description, every choice its list."""

import pytest

from slimderm.flows.agents.agent import agent
from slimderm.flows.config.params import Params
from slimderm.flows.config.schema import params_schema
from slimderm.flows.pipeline import pipeline, step
from slimderm.flows.steps.table import STAGES


def choices(flow, name):
    entry = flow.parameters.properties[name]
    return [option for part in (entry, *entry.get("anyOf", [])) for option in part.get("enum", [])]


@pytest.mark.parametrize("flow", [pipeline, step, agent], ids=lambda flow: flow.name)
def test_every_parameter_has_a_description(flow):
    for name, entry in flow.parameters.properties.items():
        assert entry.get("description", "").endswith("."), name


@pytest.mark.parametrize("flow", [pipeline, step], ids=lambda flow: flow.name)
def test_the_engine_is_chosen_from_a_list(flow):
    record = params_schema()["$defs"][type(Params().record).__name__]
    assert choices(flow, "engine") == record["properties"]["engine"]["enum"]


def test_the_step_is_chosen_from_a_list():
    assert choices(step, "name") == list(STAGES)
