"""recipes/paper.yaml on a drawn dataset, every stage for real; numbers alone are made small."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from slimderm.components.reporting.page import render_markdown
from slimderm.flows.base.files import read_json
from slimderm.flows.config.params import read_params
from slimderm.flows.config.recipes import apply_recipe
from slimderm.flows.steps.table import STAGES, Stage
from slimderm.flows.work.report_page import sections
from slimderm.flows.work.report_tables import Results

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SMALL = """\
networks: [lenet5]
synthetic: {num_lesions: 30, num_negatives: 4, height: 24, width: 32}
split: {train: 64, validation: 20, test: 8}
compress: {ranks: [5, 10]}
storage: {max_images: 2, qualities: {jpeg: [60, 95], avif: [50, 80]}}
resize: {size: [24, 24], sizes: [[24, 24], [20, 30]], max_images: 4}
train: {epochs: 1}
evaluate: {bootstrap_samples: 100, latency_repeats: 3}
record: {workers: 1}
"""
# It holds no study or recipe, accepts nothing to review, and pictures take a while.
LEFT_OUT = ("study", "slim", "review", "report")


def arguments(stage: Stage) -> list[str]:
    return ["lenet5"] if stage.trains else []


def page() -> str:
    """The report as text, without its pictures."""
    text = render_markdown("report", sections(Results.read(read_params()), ""))
    return text.replace("\\", "")  # which keeps Markdown from reading underscores


@pytest.fixture(scope="module")
def said(tmp_path_factory, with_policy):
    """Run every stage of the recipe; what each printed."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copy(ROOT / "params.yaml", folder)
    (folder / "small.yaml").write_text(SMALL)
    with_policy(folder)
    printed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        apply_recipe(ROOT / "recipes/paper.yaml", None)
        apply_recipe(Path("small.yaml"), None)
        for name, stage in STAGES.items():
            if name not in LEFT_OUT:
                flow = stage.load()
                with pytest.MonkeyPatch.context() as terminal:
                    lines: list[str] = []
                    terminal.setattr(
                        "slimderm.flows.base.terminal.console.print",
                        lambda *texts, kept=lines, **options: kept.extend(map(str, texts)),
                    )
                    flow.fn(*arguments(stage))
                printed[name] = "\n".join(lines)
        yield printed


def test_what_was_made_small_is_numbers_alone(said):
    recipe = yaml.safe_load((ROOT / "recipes/paper.yaml").read_text())
    small, params = yaml.safe_load(SMALL), read_params()
    for section, values in recipe.items():
        if isinstance(values, dict):
            for key, value in values.items():
                if key not in small.get(section, {}):
                    found = getattr(getattr(params, section), key)
                    assert (list(found) if isinstance(found, tuple) else found) == value, key
    assert (params.prune.acceptance, params.prune.refused_start) == ("paper", "prune")
    assert (params.train.augment, params.split.fill) == ("offline", "copies")


def test_classes_are_equal_and_copies_are_marked(said):
    splits = pd.read_csv("data/splits.csv")
    counts = splits.groupby(["part", "label"]).size()
    for part, each in (("train", 16), ("validation", 5), ("test", 2)):
        assert counts[part].tolist() == [each] * 4
    assert splits.groupby("lesion_id")["part"].nunique().max() == 1
    negatives = splits[(splits["label"] == "negative") & (splits["copy"] == 0)]
    assert negatives["part"].value_counts().to_dict() == {"train": 2, "validation": 1, "test": 1}
    record = read_json("models/lenet5/baseline/original/record.json")
    assert (record["num_images"], record["num_copies"]) == (
        8,
        (splits.query("part == 'test'")["copy"] > 0).sum(),
    )


def test_a_refused_start_is_pruned_twice_and_the_end_is_said_in_words(said):
    summary = read_json("models/lenet5/pruned/steps.json")
    # One epoch on 64 images meets no threshold of 0.90.
    assert [step["notation"] for step in summary["steps"]] == ["R0", "R1: 50%", "R1: 33%"]
    assert summary["smallest"] is None
    ending = summary["ending"]
    assert ending.startswith(
        "lenet5 ends with nothing. The unpruned network is refused by the rule paper: missed: "
    )
    assert "None of the 2 pruned networks is accepted; the end: 2 refusals in a row." in ending
    assert "What to do: train longer" in ending
    assert f"prune: {ending}" in said["prune"]
    assert read_json("data/registry.json")["endings"] == [ending]
    assert ending in page()


def test_copies_are_said_wherever_numbers_are_shown(said):
    sentence = "Images that are augmented copies of others of their part: "
    for stage in ("split", "train", "prune"):
        assert f"{stage}: {sentence}" in said[stage]
    assert page().count(sentence) == 3
