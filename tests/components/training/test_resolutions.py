import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.model_graph.cost import multiply_accumulates as count_built
from slimderm.components.training.build import build
from slimderm.components.training.networks import NETWORKS
from slimderm.components.training.resolutions import resolution_table, unpruned_multiply_accumulates


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("size", [(64, 48), (71, 93)])
def test_arithmetic_agrees_with_what_keras_built(name, size):
    model = build(name, num_classes=3, input_shape=(*size, 3))
    expected = count_built(model)
    assert unpruned_multiply_accumulates(name, size, num_classes=3) == expected


def test_lenet_by_hand():
    # 196x96 and 94x44 places after the convolutions of 5x5, 47x22 after the second pool.
    convolutions = 196 * 96 * 25 * 3 * 6 + 94 * 44 * 25 * 6 * 16
    dense = 47 * 22 * 16 * 84 + 84 * 120
    rest = 3 * 4 + 4 * 6 + 6 * 2 + 2 * 1 + 121 * 16 + 16 * 4
    found = unpruned_multiply_accumulates("lenet5", (200, 100), num_classes=4)
    assert found == convolutions + dense + rest


def test_the_table_has_a_row_a_network_and_size():
    table = resolution_table(["lenet5", "custom1"], [(200, 100), (300, 300)], num_classes=4)
    assert table[["network", "height"]].to_numpy().tolist() == [
        ["lenet5", 200],
        ["lenet5", 300],
        ["custom1", 200],
        ["custom1", 300],
    ]
    assert (table["weights_mb"] == 4 * table["parameters"] / 1e6).all()
    assert (table["pixels"] == table["height"] * table["width"]).all()


def test_an_image_too_small_is_an_error():
    with pytest.raises(ParameterError, match="large enough"):
        unpruned_multiply_accumulates("lenet5", (8, 8), num_classes=4)


def test_without_a_network_the_table_keeps_its_columns():
    whole = resolution_table(["lenet5"], [(200, 100)], num_classes=4)
    empty = resolution_table([], [(200, 100)], num_classes=4)
    assert list(empty.columns) == list(whole.columns)
    assert empty.empty
