import json
from dataclasses import asdict, is_dataclass
from pathlib import Path

import jsonschema
import pytest
import yaml

from slimderm.flows.config.params import Params
from slimderm.flows.config.schema import params_schema, write_schema

ROOT = Path(__file__).parents[3]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "recipes").glob("*.yaml"))]


@pytest.fixture(scope="module")
def validator():
    schema = json.loads((ROOT / "params.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_schema_in_the_repository_is_the_models(tmp_path):
    write_schema(tmp_path / "params.schema.json")
    written = (tmp_path / "params.schema.json").read_text()
    assert (ROOT / "params.schema.json").read_text() == written, (
        "params.schema.json is not what the settings say; run `python -m slimderm schema`"
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_of_parameters_meets_the_schema_that_it_names(path, validator):
    text = path.read_text()
    mark = "# yaml-language-server: $schema="
    named = next(line for line in text.splitlines() if line.startswith(mark)).removeprefix(mark)
    assert (path.parent / named).resolve() == ROOT / "params.schema.json"
    assert text.startswith(mark)
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"train": {"epochs": 0}}, ["train", "epochs"]),
        ({"train": {"epochs": True}}, ["train", "epochs"]),
        ({"train": {"epoch": 1}}, ["train"]),
        ({"trian": {}}, []),
        ({"networks": ["vgg"]}, ["networks", 0]),
        ({"networks": []}, ["networks"]),
        ({"compress": {"codec": "gif"}}, ["compress", "codec"]),
        ({"storage": {"qualities": {"gif": [3]}}}, ["storage", "qualities"]),
        ({"storage": {"qualities": {"jpeg": [101]}}}, ["storage", "qualities", "jpeg", 0]),
        ({"resize": {"size": [32]}}, ["resize", "size"]),
        ({"prune": {"criterion": "l7"}}, ["prune", "criterion"]),
        ({"prune": {"ratio": 1}}, ["prune", "ratio"]),
        ({"studies": {"a": {"network": "vgg19"}}}, ["studies", "a", "network"]),
        ({"record": {"engine": "slurm"}}, ["record", "engine"]),
    ],
)
def test_the_schema_refuses_what_the_settings_refuse(values, place, validator):
    assert [list(error.absolute_path) for error in validator.iter_errors(values)] == [place]


def test_the_schema_holds_every_key_with_its_default_and_description():
    schema = params_schema()
    for name, section in asdict(Params()).items():
        if not is_dataclass(getattr(Params(), name)):
            continue
        described = schema["$defs"][type(getattr(Params(), name)).__name__]
        assert described["description"]
        assert described["additionalProperties"] is False
        assert described["properties"].keys() == section.keys()
        for key, default in section.items():
            entry = described["properties"][key]
            assert entry["default"] == json.loads(json.dumps(default)), key
            assert entry["description"].endswith("."), key
            assert entry["title"], key
