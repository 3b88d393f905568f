import shutil
from pathlib import Path

import pytest
import yaml

from slimderm.components.common.errors import ParameterError
from slimderm.flows.config.params import read_params
from slimderm.flows.config.recipes import apply_recipe

ROOT = Path(__file__).parents[3]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


def write(folder, text):
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_a_recipe_replaces_only_what_it_names(tmp_path):
    params = write(tmp_path, "train:\n  epochs: 3  # few\n  seed: 7\nnetworks: [lenet5]\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train:\n  epochs: 9\n")
    (tmp_path / "mine" / "negatives").mkdir(parents=True)
    changed = apply_recipe(recipe, tmp_path / "mine", params)
    after = read_params(params)
    assert (after.train.epochs, after.train.seed, after.networks) == (9, 7, ("lenet5",))
    assert after.ingest.source == str(tmp_path / "mine")
    assert after.ingest.negatives == str(tmp_path / "mine" / "negatives")
    assert changed == ["ingest.negatives", "ingest.source", "train.epochs"]
    assert "# few" in params.read_text()
    assert apply_recipe(recipe, tmp_path / "mine", params) == []


def test_a_recipe_replaces_studies_and_slim_whole(tmp_path):
    entry = "{network: lenet5, passes: [{pass: share}]}"
    params = write(tmp_path, f"slim: {{small: {entry}}}\nstudies: {{mine: {{network: lenet5}}}}\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"slim: {{other: {entry}}}\nstudies: {{}}\n")
    assert apply_recipe(recipe, None, params) == ["slim.other"]
    after = read_params(params)
    assert (list(after.slim), dict(after.studies)) == (["other"], {})


def test_names_may_hold_blanks_and_what_is_not_there_is_refused_before_anything_is_written(
    tmp_path,
):
    params = write(tmp_path, "train: {epochs: 3}\n")
    recipe, data = tmp_path / "my recipe.yaml", tmp_path / "my images"
    for given, said in (((recipe, None), "RECIPE: received"), ((None, data), "DATA: received")):
        with pytest.raises(ParameterError, match=f"{said} .* that is there"):
            apply_recipe(*given, params)
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
    recipe.write_text("train: {epochs: 9}\n")
    (data / "negatives").mkdir(parents=True)
    apply_recipe(recipe, data, params)
    after = read_params(params)
    assert (after.train.epochs, after.ingest.source) == (9, str(data))
    assert after.ingest.negatives == str(data / "negatives")


def test_a_faulty_recipe_changes_nothing(tmp_path):
    params = write(tmp_path, "train:\n  epochs: 3\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train:\n  epochs: 0\n")
    with pytest.raises(ParameterError, match=r"train\.epochs"):
        apply_recipe(recipe, None, params)
    assert yaml.safe_load(params.read_text()) == {"train": {"epochs": 3}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["params.yaml", "recipe.yaml"]


def test_a_recipe_whose_passes_cannot_be_changes_nothing(tmp_path):
    params = write(tmp_path, "networks: [lenet5]\n")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("slim: {small: {network: lenet5, passes: [{pass: share, bits: 33}]}}\n")
    with pytest.raises(ParameterError, match="slim: small: passes: 1: bits: received 33"):
        apply_recipe(recipe, None, params)
    assert params.read_text() == "networks: [lenet5]\n"


def test_a_recipe_leaves_quotes_where_braces_need_them(tmp_path):
    path = write(tmp_path, 'record: {tracking_uri: "sqlite:///mlflow.db"}\n')
    apply_recipe(None, tmp_path, path)
    assert '"sqlite:///mlflow.db"' in path.read_text()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_leaves_comments_and_the_line_that_editors_read(tmp_path, recipe):
    path = Path(shutil.copy(ROOT / "params.yaml", tmp_path))
    before = path.read_text().splitlines()
    assert apply_recipe(recipe, tmp_path, path)
    after = path.read_text().splitlines()
    assert after[:4] == before[:4]
    assert after[0] == "# yaml-language-server: $schema=params.schema.json"
