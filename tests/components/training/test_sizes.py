import pytest

from slimderm.components.training.build import build
from slimderm.components.training.sizes import INPUT_SIZES, size_table


def halve(widths):
    return tuple(max(1, width // 2) for width in widths)


def test_the_table_agrees_with_keras():
    table = size_table(["lenet5"], num_classes=4, halve=halve)
    assert len(table) == len(INPUT_SIZES) * 6
    row = table.set_index(["height", "width", "halvings"]).loc[(200, 100, 1)]
    model = build("lenet5", num_classes=4, convolutions=(3, 8), dense=(42, 60))
    assert row["parameters"] == model.count_params()
    trainable = sum(weight.shape.num_elements() for weight in model.trainable_variables)
    assert row["weights_mb"] == pytest.approx(4e-6 * model.count_params())
    assert row["with_adam_mb"] == pytest.approx(4e-6 * (model.count_params() + 2 * trainable))


def test_shares_are_of_the_unpruned_network_at_the_same_size():
    table = size_table(["alexnet", "custom2"], num_classes=4, halve=halve)
    whole = table[table["halvings"] == 0]
    assert (whole["share_of_parameters"] == 1).all()
    assert table.groupby(["network", "height", "width"])["parameters"].is_monotonic_decreasing.all()


def test_without_a_network_the_table_keeps_its_columns():
    whole, empty = (size_table(names, num_classes=4, halve=halve) for names in (["lenet5"], []))
    assert list(empty.columns) == list(whole.columns)
    assert empty.empty
