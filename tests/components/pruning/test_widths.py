import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.widths import THIRD, Widths, notation, parse_path, shrink_widths

ALEXNET = Widths((64, 192, 384, 384, 256), (1024, 1024))
widths_drawn = st.lists(st.integers(1, 2000), min_size=1, max_size=7).map(tuple)
factors_drawn = st.sampled_from((50, THIRD, 16.5, 8.25, 83, 99.9))


def test_the_paper_s_factors_on_lenet_by_hand() -> None:
    lenet = Widths((6, 16), (84, 120))
    assert shrink_widths(lenet, 50) == Widths((3, 8), (42, 60))
    assert shrink_widths(lenet, THIRD) == Widths((4, 10), (56, 80))
    assert shrink_widths(lenet, 16.5) == Widths((5, 13), (70, 100))
    assert shrink_widths(lenet, 8.25) == Widths((5, 14), (77, 110))


def test_the_floor_is_exact_where_floats_lose_a_filter() -> None:
    assert math.floor(100 * (1 - 0.83)) == 17 or math.floor(100 * (1 - 83 / 100)) == 17
    wrong = [n for n in range(1, 3000) if math.floor(n * (1 - 0.9)) != n // 10]
    assert wrong, "this test needs a factor that float arithmetic gets wrong"
    for width in wrong:
        assert shrink_widths(Widths((width,), (width,)), 90).dense == (max(1, width // 10),)


def test_only_the_first_convolutions_shrink_and_the_dense_layers_always() -> None:
    assert shrink_widths(ALEXNET, 50, num_convolutions=0) == Widths(
        ALEXNET.convolutions, (512, 512)
    )
    assert shrink_widths(ALEXNET, 50, num_convolutions=2) == Widths(
        (32, 96, 384, 384, 256), (512, 512)
    )
    assert shrink_widths(ALEXNET, 50, num_convolutions=9) == shrink_widths(ALEXNET, 50)


@given(widths_drawn, widths_drawn, factors_drawn)
def test_widths_follow_the_formula_and_never_vanish(convolutions, dense, percent) -> None:
    pruned = shrink_widths(Widths(convolutions, dense), percent)
    kept = 1 - Fraction(str(percent)) / 100
    for before, after in zip(convolutions + dense, pruned.convolutions + pruned.dense, strict=True):
        assert 1 <= after <= before
        assert after == 1 or after <= before * kept < after + 1
        assert after < before or before == 1


def test_nothing_shrinks_below_one() -> None:
    ones = Widths((1, 1), (1, 1))
    assert shrink_widths(ones, 50) == ones


@pytest.mark.parametrize("percent", [0, 0.5, 1, 100, 101, -50, math.nan, math.inf, True])
def test_factors_out_of_range_are_refused(percent: float) -> None:
    with pytest.raises(ParameterError, match="pruning factor: received"):
        shrink_widths(ALEXNET, percent)


def test_widths_below_one_are_refused() -> None:
    with pytest.raises(ParameterError, match="at least 1"):
        Widths((6, 0), (84, 120))
    with pytest.raises(ParameterError, match="num_convolutions"):
        shrink_widths(ALEXNET, 50, num_convolutions=-1)


@pytest.mark.parametrize(
    ("percents", "text"),
    [
        ((), "R0"),
        ((50,), "R1: 50%"),
        ((50, 50), "R2: 50%"),
        ((THIRD, THIRD), "R2: 33%"),
        ((50, THIRD), "R1,R2: 50%,33%"),
        ((50, 50, THIRD, 16.5), "R2,R3,R4: 50%,33%,16.5%"),
        ((50, THIRD, 50), "R1,R2,R3: 50%,33%,50%"),
    ],
)
def test_notation_is_the_paper_s_and_reads_back(percents, text) -> None:
    assert notation(percents) == text
    assert parse_path(text) == [tuple(percents)]


def test_a_span_is_one_path_for_each_end() -> None:
    assert parse_path("R1..R5: 50%") == [(50.0,) * count for count in range(1, 6)]
    assert parse_path("R3..R4: 33%") == [(THIRD,) * 3, (THIRD,) * 4]


def test_spaces_and_the_full_third_are_read_too() -> None:
    assert parse_path(" R1 , R2 : 50 %, 33.33% ") == [(50.0, THIRD)]


@given(st.lists(factors_drawn, max_size=9))
def test_every_path_reads_back(percents) -> None:
    assert parse_path(notation(percents)) == [tuple(percents)]


@pytest.mark.parametrize(
    "text",
    ["", "R1", "R1:", "50%", "R1: 50", "R1: 0%", "R1: 1%", "R1: 100%", "R2,R1: 50%,33%",
     "R1,R2: 50%", "R1: 50%,33%", "R0: 50%", "R5..R1: 50%", "R0..R2: 50%", "R1..R2: 50%,33%",
     "R1,R1: 50%,50%", "Rx: 50%", "R1: -50%"],
)  # fmt: skip
def test_what_is_no_notation_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="received"):
        parse_path(text)
