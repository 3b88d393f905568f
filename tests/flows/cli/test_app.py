"""Every command: its help, its exit codes, where it works, and what it costs to start."""

import inspect
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from slimderm.flows.cli import app as program
from slimderm.flows.cli import servers
from slimderm.flows.cli.pruning import _budgets, _criteria

ROOT = Path(__file__).parents[3]
FUNCTIONS = [function for functions in program.PANELS.values() for function in functions]
COMMANDS = [function.__name__.replace("_", "-") for function in FUNCTIONS]
HEAVY = ("prefect", "mlflow", "dvc", "keras", "tensorflow", "pandas", "numpy", "cv2", "dask")


def test_every_command_has_a_name_of_its_own_in_the_program():
    assert len(COMMANDS) == len(set(COMMANDS))
    assert set(typer.main.get_command(program.app).commands) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_a_command_does_reads_and_writes(call, name):
    code, said, _ = call(name, "--help")
    said = " ".join(re.sub(r"[│╭╮╰╯─]", "", said).split())
    assert code == 0
    documented = inspect.cleandoc(FUNCTIONS[COMMANDS.index(name)].__doc__)
    sentence, _, rest = documented.partition("\n\n")
    assert sentence in said
    assert " ".join(rest.split()) in said
    assert re.search(r"\b(Reads|Checks|Stops)\b", rest), rest
    assert re.search(r"\b(Takes|Costs|Runs|Listens)\b", rest) or name == "make-help", rest


def test_the_root_help_lists_all_commands_and_the_exit_codes(call):
    code, said, _ = call("--help")
    assert code == 0
    assert "Exit codes: 0 done; 1" in said
    assert all(re.search(rf"│ {name} ", said) for name in COMMANDS)


def test_starting_imports_no_heavy_library():
    script = f"import sys, slimderm.flows.cli.app; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    script = script.replace(repr(HEAVY), repr(set(HEAVY)))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_help_comes_at_once():
    def spent():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime  # not the time on a clock: others may be busy

    before = spent()
    subprocess.run(
        [sys.executable, "-m", "slimderm", "--help"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert spent() - before < 1.5  # 0.3 s is usual; importing TensorFlow takes 5


def test_a_command_that_needs_a_clone_says_so_elsewhere(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "slimderm", "status"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"ParameterError: received the folder {tmp_path.resolve()}, which holds")
    assert "expected the top folder of a clone" in line
    assert done.stderr == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_only_some_commands_work_outside_a_clone(tmp_path, monkeypatch, call, name):
    monkeypatch.chdir(tmp_path)
    needing = ("predict", "evaluate", "batch", "codecs", "remote", "search", "restore", "feedback")
    required = dict.fromkeys(needing, 1)
    function = FUNCTIONS[COMMANDS.index(name)]
    if function in program.ANYWHERE:
        return
    code, said, _ = call(name, *[str(tmp_path)] * required.get(name, 0))
    assert code == 1
    assert "which holds no dvc.yaml" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["predict"],
        ["prune", "a.keras"],
        ["up", "--no-such"],
        ["prune", "a", "b", "--ratio", "x"],
    ],
)
def test_bad_usage_exits_with_two(call, arguments):
    code, _, said = call(*arguments)
    assert code == 2
    assert "Error" in said


def test_an_agent_without_addresses_is_told_what_to_set():
    done = subprocess.run(
        [sys.executable, "-m", "slimderm", "agent", "cpu"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "received no PREFECT_API_URL and no MLFLOW_TRACKING_URI" in done.stdout


def test_completions_name_what_there_is(monkeypatch):
    from slimderm.components.pruning.names import KINDS
    from slimderm.flows.agents.deployments import POOLS

    assert servers._pools() == list(POOLS)
    assert {"l1", "l2", "fpgm", "random"} <= set(_criteria())
    assert not {"taylor", "activation", "apoz"} & set(_criteria())  # these look at data
    assert _budgets() == [f"{kind}=" for kind in KINDS]
    documented = program.app.registered_commands[COMMANDS.index("prune")].callback
    budget = inspect.signature(documented).parameters["budget"].annotation.__metadata__[0].help
    assert all(kind in budget for kind in KINDS)
    monkeypatch.chdir(ROOT)
    assert "recipes/paper.yaml" in program.pipeline._recipes()
