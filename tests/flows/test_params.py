import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from slimderm.components.common.errors import ParameterError
from slimderm.flows.config.params import Params, read_params, recorded_by
from slimderm.flows.config.recipes import apply
from slimderm.flows.config.registry_policy import read_registry

ROOT = Path(__file__).parents[2]


def write(folder, text):
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_an_empty_file_gives_the_papers_values(tmp_path):
    params = read_params(write(tmp_path, ""))
    assert params == Params()
    assert params.compress.ranks == (100, 200, 300, 350, 400, 450)
    assert (params.train.epochs, params.train.learning_rate) == (75, 0.002)
    assert (params.split.train, params.split.validation, params.split.test) == (3300, 1100, 360)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trian: {}", "params.yaml:1: trian: unknown section; expected one of networks"),
        ("train:\n  epoch: 3", "params.yaml:2: train.epoch: unknown key; expected one of epochs"),
        ("train:\n  epochs: 0", "params.yaml:2: train.epochs: received 0, expected a number in [1"),
        ("train:\n  epochs: many", "params.yaml:2: train.epochs: received 'many', expected int"),
        ("train:\n  epochs: true", "params.yaml:2: train.epochs: received True, expected int"),
        ("train: [1]", "params.yaml:1: train: received [1], expected a mapping"),
        ("compress:\n  ranks: 100", "params.yaml:2: compress.ranks: received 100"),
        ("compress:\n\n  ranks: [100, 0]", "params.yaml:3: compress.ranks: received 0"),
        ("prune:\n  factors: [1]", "params.yaml:2: prune.factors: received 1.0, expected a number"),
        ("compress:\n  ranks: [0]", "params.yaml:2: compress.ranks: received 0, expected a number"),
        ("prune:\n  factors: [100]", "params.yaml:2: prune.factors: received 100"),
        ("networks: [vgg]", "params.yaml:1: networks: received ['vgg'], expected a list of some"),
        ("networks: []", "params.yaml:1: networks: received []"),
        ("- 1", "received list, expected sections"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, text, said):
    with pytest.raises(ParameterError) as caught:
        read_params(write(tmp_path, text))
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"nowhere\.yaml"):
        read_params(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    "path", [ROOT / "params.yaml", *(ROOT / "recipes").glob("*.yaml")], ids=lambda path: path.name
)
def test_every_file_of_parameters_in_the_repository_is_valid(path):
    read_params(path)


def test_a_recipe_replaces_only_what_it_names(tmp_path):
    params = write(tmp_path, "train:\n  epochs: 3  # few\n  seed: 7\nnetworks: [lenet5]\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train:\n  epochs: 9\n")
    (tmp_path / "mine" / "negatives").mkdir(parents=True)
    changed = apply(recipe, tmp_path / "mine", params)
    after = read_params(params)
    assert (after.train.epochs, after.train.seed, after.networks) == (9, 7, ("lenet5",))
    assert after.ingest.source == str(tmp_path / "mine")
    assert after.ingest.negatives == str(tmp_path / "mine" / "negatives")
    assert changed == ["ingest.negatives", "ingest.source", "train.epochs"]
    assert "# few" in params.read_text()
    assert apply(recipe, tmp_path / "mine", params) == []


def test_a_faulty_recipe_changes_nothing(tmp_path):
    params = write(tmp_path, "train:\n  epochs: 3\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train:\n  epochs: 0\n")
    with pytest.raises(ParameterError, match=r"train\.epochs"):
        apply(recipe, None, params)
    assert yaml.safe_load(params.read_text()) == {"train": {"epochs": 3}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.yaml", "recipe.yaml"]


def test_a_run_may_choose_where_it_works_and_the_choice_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, "record: {workers: 3}")
    with recorded_by(engine="dask", dask_address="tcp://head:8786", workers=None):
        record = read_params(path).record
        assert (record.engine, record.dask_address, record.workers) == (
            "dask",
            "tcp://head:8786",
            3,
        )
    assert read_params(path).record.engine == "processes"
    with pytest.raises(ParameterError, match="dask_address"), recorded_by(engine="dask"):
        pytest.fail("it began without an address")
    assert read_params(path).record.engine == "processes"
    write(tmp_path, "record: {dask_address: tcp://other:8786}")
    with recorded_by(engine="dask"):
        assert read_params(path).record.dask_address == "tcp://other:8786"


def test_a_recipe_leaves_quotes_where_braces_need_them(tmp_path):
    path = write(tmp_path, 'record: {tracking_uri: "sqlite:///mlflow.db"}\n')
    apply(None, tmp_path, path)
    assert '"sqlite:///mlflow.db"' in path.read_text()


def test_parameters_are_read_without_the_libraries_that_use_them():
    heavy = {"cv2", "keras", "mlflow", "networkx", "numba", "pandas", "scipy", "tensorflow"}
    script = f"import sys, slimderm.flows.pipeline; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_registrys_file_is_read_with_its_defaults(tmp_path):
    found = read_registry(ROOT / "mlflow/registry.yaml")
    assert (found.model, found.aliases["champion"]) == ("slimderm", "champion")
    found = read_registry(write(tmp_path, "aliases: {champion: best}\ngates: {max_bytes: 5}"))
    assert (found.model, found.gates.max_bytes, found.gates.confidence) == ("slimderm", 5, 0.95)
    assert found.aliases == {"champion": "best", "challenger": "challenger"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gates: {max_byte: 5}", r":1: gates.max_byte: unknown key; expected one of balanced"),
        ("model: a\ngates: {confidence: 2}", r":2: gates.confidence: received 2"),
        ("gate: {}", r":1: gate: unknown section"),
        ("aliases: {winner: a}", r":1: aliases: received winner: 'a', expected names of chall"),
        ("aliases: {champion: 1}", r"received champion: 1"),
        ("model: [a]", r":1: model: received \['a'\]"),
        ("gates: {", r"cannot be read as YAML"),
    ],
)
def test_a_fault_in_the_registrys_file_is_named_by_line(tmp_path, text, said):
    with pytest.raises(ParameterError, match=said):
        read_registry(write(tmp_path, text))
