import pickle
import subprocess
import sys
from dataclasses import asdict, replace
from typing import Annotated, Literal

import pytest
from pydantic import AfterValidator, Field

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Count, NonEmpty, OneOf, Ratio, settings

TABLE = {"a": 1, "b": 2}


def even(value):
    if value % 2:
        raise ParameterError(f"received {value}, expected an even number")
    return value


@settings
class Example:
    quality: Annotated[int, Field(ge=1, le=100)] = Field(default=95, description="Of the encoder.")
    share: Ratio = 0.5
    ranks: NonEmpty[Count] = (1, 2)
    rule: Annotated[str, OneOf(TABLE)] = "a"
    stage: Literal["before", "after"] = "after"
    limit: Count | None = None
    whole: bool = True
    size: tuple[Count, Count] = (3, 4)
    names: dict[Annotated[str, OneOf(TABLE)], str] = Field(default={"a": "y"})
    steps: Annotated[int, AfterValidator(even)] = 2
    most: Annotated[float, Field(lt=1)] = 0.5
    least: Annotated[float, Field(le=1)] = 0.5


def test_defaults_pass_and_are_not_shared():
    first, second = Example(), Example()
    assert first == second
    assert first.names is not second.names


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"quality": 0}, "quality: received 0, expected a whole number in [1, 100]"),
        ({"quality": 101}, "quality: received 101, expected a whole number in [1, 100]"),
        ({"quality": True}, "quality: received True, expected a whole number in [1, 100]"),
        ({"quality": "95"}, "quality: received '95', expected a whole number in [1, 100]"),
        ({"quality": 95.0}, "quality: received 95.0, expected a whole number in [1, 100]"),
        ({"share": 0}, "share: received 0, expected a number in (0, 1)"),
        ({"share": float("nan")}, "share: received nan, expected a number in (0, 1)"),
        ({"share": True}, "share: received True, expected a number in (0, 1)"),
        ({"most": 1}, "most: received 1, expected a number below 1"),
        ({"least": 2}, "least: received 2, expected a number of at most 1"),
        ({"ranks": (3, 0)}, "ranks: received 0, expected a whole number of at least 1"),
        ({"ranks": ()}, "ranks: received [], expected a list of at least 1, each a whole number"),
        ({"ranks": 3}, "ranks: received 3, expected a list of at least 1, each a whole number"),
        ({"rule": "c"}, "rule: received 'c', expected one of a, b"),
        ({"rule": 1}, "rule: received 1, expected one of a, b"),
        ({"stage": "c"}, "stage: received 'c', expected one of before, after"),
        ({"limit": 0}, "limit: received 0, expected a whole number of at least 1 or null"),
        ({"whole": 1}, "whole: received 1, expected true or false"),
        ({"size": (3,)}, "size: received [3], expected a list of 2, each a whole number"),
        ({"size": (3, 4, 5)}, "size: received [3, 4, 5], expected a list of 2, each a whole"),
        ({"names": {"c": "x"}}, "names.c: unknown key; expected one of a, b"),
        ({"names": {"a": 1}}, "names.a: received 1, expected text"),
        ({"names": 1}, "names: received 1, expected a mapping of names, each one of a, b, to text"),
        ({"steps": 3}, "steps: received 3, expected an even number"),
        ({"qualty": 3}, "qualty: unknown key; expected one of quality, share"),
        ({"qualty": 3}, "did you mean quality?"),
    ],
)
def test_a_fault_names_key_value_and_what_was_expected(values, said):
    with pytest.raises(ParameterError) as caught:
        Example(**values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_named_at_once():
    with pytest.raises(ParameterError) as caught:
        Example(quality=0, rule="c", ranks=(0, 1, -1))
    assert str(caught.value).splitlines() == [
        "quality: received 0, expected a whole number in [1, 100]",
        "ranks: received 0, expected a whole number of at least 1",
        "ranks: received -1, expected a whole number of at least 1",
        "rule: received 'c', expected one of a, b",
    ]


@pytest.mark.parametrize("values", [{"quality": 1}, {"quality": 100}, {"limit": None}])
def test_the_ends_of_a_range_belong_to_it(values):
    Example(**values)


def test_the_tools_of_dataclasses_work():
    changed = replace(Example(), share=1 / 3, quality=7)
    assert (changed.quality, changed.rule) == (7, "a")
    assert asdict(changed)["share"] == 1 / 3
    assert pickle.loads(pickle.dumps(changed)) == changed
    with pytest.raises(ParameterError, match="quality: received 0"):
        replace(changed, quality=0)


def test_a_whole_number_becomes_a_float_where_one_is_expected():
    assert repr(Example(most=0).most) == "0.0"


def test_what_is_added_to_a_table_is_admitted(monkeypatch):
    with pytest.raises(ParameterError, match="expected one of a, b"):
        Example(rule="new")
    monkeypatch.setitem(TABLE, "new", 3)
    assert Example(rule="new").rule == "new"
    with pytest.raises(ParameterError, match="expected one of a, b, new"):
        Example(rule="other")


def test_pruning_and_training_need_no_pydantic():
    script = (
        "import sys; from slimderm.components.pruning.pruner import prune;"
        "import slimderm.components.training.fit, slimderm.components.training.precision;"
        "print('pydantic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-1] == "False"
