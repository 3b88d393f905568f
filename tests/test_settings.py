from dataclasses import dataclass

import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Settings, setting


@dataclass(frozen=True)
class Example(Settings):
    quality: int = setting(95, low=1, high=100)
    share: float = setting(0.5, above=0, below=1)
    ranks: tuple[int, ...] = setting((1, 2), low=1)
    rule: str = setting("a", choices=("a", "b"))
    limit: int | None = setting(None, low=1)
    names: dict[str, str] = setting({"x": "y"})


def test_defaults_pass_and_are_not_shared():
    first, second = Example(), Example()
    assert first == second
    assert first.names is not second.names


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"quality": 0}, "quality: received 0, expected a number in [1, 100]"),
        ({"quality": 101}, "quality: received 101"),
        ({"share": 0}, "share: received 0, expected a number in (0, 1)"),
        ({"share": float("nan")}, "share: received nan"),
        ({"ranks": (3, 0)}, "ranks: received 0, expected a number in [1, inf)"),
        ({"rule": "c"}, "rule: received 'c', expected one of a, b"),
        ({"limit": 0}, "limit: received 0"),
        ({"quality": True}, "quality: received True"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(values, said):
    with pytest.raises(ParameterError, match="expected") as caught:
        Example(**values)
    assert said in str(caught.value)


@pytest.mark.parametrize("values", [{"quality": 1}, {"quality": 100}, {"limit": None}])
def test_the_ends_of_a_range_belong_to_it(values):
    Example(**values)
