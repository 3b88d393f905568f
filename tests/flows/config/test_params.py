import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.serialize import modify_yaml

from slimderm.components.common.errors import ParameterError
from slimderm.flows.config.params import Params, read_params, recorded_by
from slimderm.flows.steps.table import STAGES

ROOT = Path(__file__).parents[3]


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


def test_an_experiment_changes_the_lines_that_it_must(tmp_path):
    """`dvc exp run -S` writes the file anew by this function."""
    before = (ROOT / "params.yaml").read_text().splitlines()
    path = write(tmp_path, "\n".join(before) + "\n")
    with modify_yaml(str(path)) as params:
        params["train"]["epochs"] = 7
        params["networks"][0] = "alexnet"
    lines = zip(before, path.read_text().splitlines(), strict=True)
    changed = [after for line, after in lines if line != after]
    values = [line.partition("#")[0].strip() for line in changed]
    assert values == ["networks: [alexnet, custom2]", "epochs: 7"]
    assert all("#" in line for line in changed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("trian: {}", "params.yaml:1: trian: unknown section; expected one of networks"),
        ("train:\n  epoch: 3", "params.yaml:2: train.epoch: unknown key; expected one of epochs"),
        ("train:\n  epochs: 0", "params.yaml:2: train.epochs: received 0, expected a whole"),
        (
            "train:\n  epochs: many",
            "params.yaml:2: train.epochs: received 'many', expected a whole",
        ),
        ("train:\n  epochs: true", "params.yaml:2: train.epochs: received True, expected a whole"),
        ("train: [1]", "params.yaml:1: train: received [1], expected a mapping"),
        ("compress:\n  ranks: 100", "params.yaml:2: compress.ranks: received 100"),
        ("compress:\n\n  ranks: [100, 0]", "params.yaml:3: compress.ranks: received 0"),
        ("prune:\n  factors: [1]", "params.yaml:2: prune.factors: received 1, expected a number"),
        ("compress:\n  ranks: [0]", "params.yaml:2: compress.ranks: received 0, expected a whole"),
        ("compress:\n  ranks:\n    - 9\n    - 0", "params.yaml:4: compress.ranks: received 0"),
        ("resize: {max_images: x}", "resize.max_images: received 'x', expected a whole number of"),
        ("prune:\n  factors: [100]", "params.yaml:2: prune.factors: received 100"),
        ("networks: [vgg]", "params.yaml:1: networks: received 'vgg', expected one of lenet5"),
        ("networks: []", "params.yaml:1: networks: received []"),
        (
            "train: {head_epochs: 2}",
            "train.head_epochs: received 2, expected a network or a study that starts",
        ),
        (
            "train: {weights: {vgg16: w.h5}}",
            "train.weights: received a file for vgg16, expected a network of the section networks",
        ),
        (
            "train: {weights: {lenet5: w.h5}}",
            "train.weights.lenet5: unknown key; expected one of v",
        ),
        (
            "networks: [vgg16]\ntrain: {weights: {vgg16: w.h5}, epochs: 2, head_epochs: 2}",
            "train.head_epochs: received 2, expected fewer than the 2 epochs of network vgg16",
        ),
        (
            "train: {head_epochs: 3}\nstudies: {own: {network: vgg16, weights: w.h5, epochs: 3}}",
            "train.head_epochs: received 3, expected fewer than the 3 epochs of study own",
        ),
        ("- 1", "received list, expected sections"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path, text, said):
    with pytest.raises(ParameterError) as caught:
        read_params(write(tmp_path, text))
    assert said in str(caught.value)


def test_all_faults_of_a_file_are_named_at_once_in_its_order(tmp_path):
    text = """\
trian: {}
train:
  epoch: 3
  batch_size: 0
compress:
  ranks:
    - 100
    - none
prune: {criterion: l7, floors: {conv1: 0}, path: ["R1: fifty"]}
studies:
  one: {arms: [l1 l2], ratios: [2]}
record: {engine: dask}
"""
    with pytest.raises(ParameterError) as caught:
        read_params(write(tmp_path, text))
    lines = [
        line.removeprefix(f"{tmp_path}/params.yaml:") for line in str(caught.value).splitlines()
    ]
    assert [line.split(",")[0] for line in lines] == [
        "1: trian: unknown section; expected one of networks",
        "3: train.epoch: unknown key; expected one of epochs",
        "4: train.batch_size: received 0",
        "8: compress.ranks: received 'none'",
        "9: prune.path: received 'R1: fifty'",
        "9: prune.criterion: received 'l7'",
        "9: prune.floors.conv1: received 0",
        "11: studies.one.arms: received 'l1 l2'",
        "11: studies.one.ratios: received 2",
        "12: record.dask_address: received none",
    ]
    assert lines[0].endswith("; did you mean train?")
    assert lines[1].endswith("; did you mean epochs?")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prune: {schedule: path}", "prune.path: received none, expected at least one"),
        ("prune: {factors: []}", "prune.factors: received none, expected at least one"),
        ("prune: {budget: {bytes: 9}}", "prune.budget: received {'bytes': 9.0} with schedule"),
        (
            "prune: {criterion: l1}",
            "prune.criterion: received l1 with init scratch and scope local",
        ),
        ("choose: {rule: fewest_bytes}", "choose.floors: received none, expected at least one"),
        ("resize: {rule: floors}", "resize.floors: received none, or no sizes, expected"),
        ("resize: {sizes: [[9, 9], [9, 9]]}", "resize.sizes: received [[9, 9], [9, 9]], expected"),
        ("studies: {a: {ratios: [0.9, 0.5]}}", "studies.a.ratios: received [0.9, 0.5], expected"),
        ("studies: {a: {arms: [paper, paper]}}", "studies.a.arms: received ['paper', 'paper'],"),
    ],
)
def test_values_that_contradict_each_other_are_named(tmp_path, text, said):
    with pytest.raises(ParameterError) as caught:
        read_params(write(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path}/params.yaml:1: {said}")


def test_a_section_left_empty_has_its_defaults(tmp_path):
    assert read_params(write(tmp_path, "train:\nprune:\n  ratio: 0.25\n")).train == Params().train


@pytest.mark.parametrize(
    "text", ["a: &a [*a]", "train: {? [a] : 2}", "x", "record: {cache: !!binary gGVsbG8=}"]
)
def test_what_yaml_allows_and_no_parameter_is_refused(tmp_path, text):
    with pytest.raises(ParameterError, match=r"params\.yaml"):
        read_params(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"nowhere\.yaml"):
        read_params(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    "path", [ROOT / "params.yaml", *(ROOT / "recipes").glob("*.yaml")], ids=lambda path: path.name
)
def test_every_file_of_parameters_in_the_repository_is_valid(path):
    read_params(path)


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


@pytest.mark.parametrize("stage", ["train", "prune"])
def test_a_recipe_whose_passes_cannot_be_ends_what_it_would_start_from(
    tmp_path, monkeypatch, stage
):
    write(tmp_path, "slim: {small: {network: lenet5, passes: [{pass: share, bits: 33}]}}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="slim: small: passes: 1: bits: received 33"):
        STAGES[stage].load().fn("lenet5")


def test_parameters_are_read_without_the_libraries_that_use_them(tmp_path):
    write(tmp_path, "slim: {small: {network: lenet5, passes: [{pass: share}]}}")
    heavy = {"cv2", "keras", "mlflow", "networkx", "numba", "pandas", "scipy", "tensorflow"}
    script = (
        "import sys, slimderm.flows.pipeline\n"
        "assert slimderm.flows.pipeline.read_params().slim\n"
        f"print(*sorted({heavy!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
