"""Codings: bit for bit, small where they should be, and safe against bytes that nobody wrote."""

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.network_compression.codings.table import CODINGS, get, name_of, smallest

FLOATS = np.array([0.0, -0.0, 1.5, np.nan, -np.nan, np.inf, 1e-45], np.float32)


def back(name, values):
    """Encode and decode; None where the coding takes no such values."""
    bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
    data = get(name).encode(bits if get(name).by_channel else bits.reshape(-1))
    bits = bits.reshape(-1)
    if data is None:
        return None
    found = get(name).decode(memoryview(data), bits.size, bits.dtype)
    assert found.dtype == bits.dtype
    assert found.tobytes() == bits.tobytes()
    return data


def gridded(random, rows, channels, most=7):
    """A kernel on a grid of its own for each channel, as rounding leaves it."""
    numbers = random.integers(-most, most + 1, (rows, channels)).astype(np.float32)
    numbers[0] = most
    return numbers * np.exp(random.normal(size=channels)).astype(np.float32)


sizes = st.integers(0, 300)
any_bits = st.sampled_from(["u1", "u2", "u4", "u8"]).flatmap(
    lambda kind: st.one_of(
        arrays.arrays(kind, sizes),
        arrays.arrays(kind, sizes, elements=st.sampled_from([0, 1, 3]), fill=st.just(0)),
    )
)


@pytest.mark.parametrize("name", CODINGS)
@settings(max_examples=60, deadline=None)
@given(bits=any_bits)
def test_any_values_come_back_bit_for_bit(name, bits):
    back(name, bits)


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize(
    "values",
    [
        np.zeros(0, np.float32),
        np.zeros(1000, np.float32),
        np.full(9, -0.0, np.float32),
        np.tile(FLOATS, 40),
        np.array([0x7FC00001, 0x7F800001, 0, 0], np.uint32).view(np.float32),  # NaNs' payloads
        np.array([0, 1.5, -2, 0], ml_dtypes.bfloat16),
        np.arange(6).reshape(2, 3),
        np.array([True, False, True, True, False, False, False]),
        np.eye(1, 5000, 4999, dtype=np.float32),  # a gap longer than any symbol
        np.eye(1, 5000, 0, dtype=np.float32),
        np.array([1.0], np.float32),
        np.random.default_rng(0).integers(0, 2**32, 2**17, np.uint32),  # too many to share
    ],
    ids=lambda values: f"{values.dtype}-{values.size}",
)
def test_odd_weights_come_back_bit_for_bit(name, values):
    data = back(name, values)
    never = {"raw", "deflate"}  # say no to nothing
    assert data is not None or name not in never


def test_what_each_is_for_is_what_is_chosen():
    random = np.random.default_rng(0)
    kernel = random.normal(size=5000).astype(np.float32)
    shared = random.choice(kernel[:16], 5000)
    cases = {
        "raw": kernel[:3],
        "constant": np.ones(50, np.float32),
        "deflate": kernel,
        "shared": shared,
        "sparse": np.where(random.random(5000) < 0.1, shared, 0),
        "scaled": gridded(random, 500, 10),
    }
    for name, values in cases.items():
        assert smallest(values.astype(np.float32).view(np.uint32))[0] == name


def test_two_values_cost_a_bit_each():
    signs = np.random.default_rng(0).choice(np.array([-0.25, 0.25], np.float32), 80_000)
    name, data = smallest(signs.view(np.uint32))
    assert name == "shared"
    assert 10_000 <= len(data) <= 10_000 + 10  # two values of four bytes, their number, a table


@pytest.mark.parametrize(("filters", "rows"), [(64, 500), (1, 8001), (7, 3)])
def test_two_values_a_filter_cost_a_bit_each_and_a_magnitude_a_filter(filters, rows):
    random = np.random.default_rng(0)
    scales = random.normal(size=filters).astype(np.float32)
    values = scales * random.choice(np.float32([-1, 1]), (rows, filters))
    data = back("scaled", values)
    assert len(data) <= -(-rows * filters // 8) + 4 * filters + 12


def test_pruned_shared_weights_take_little_more_than_their_entropy():
    random = np.random.default_rng(0)
    values = random.choice(random.normal(size=31).astype(np.float32), 100_000)
    values[random.random(100_000) < 0.92] = 0
    name, data = smallest(values.view(np.uint32))
    _, counts = np.unique(values, return_counts=True)
    entropy = -(counts * np.log2(counts / counts.sum())).sum() / 8
    assert name == "sparse"
    assert entropy < len(data) < 1.03 * entropy + 31 * 4


def test_the_filler_carries_no_value_and_zero_is_none():
    """By hand: widths of two bits would need fillers, and are told from values of zero."""
    values = np.zeros(300, np.float32)
    values[[0, 3, 7, 299]] = 1.0
    data = get("sparse").encode(values.view(np.uint32))
    num_values, fillers = data[0], data[1]
    width = data[2]
    gaps = [0, 2, 3, 291]
    assert num_values == 4
    assert fillers == sum(gap // (2**width - 1) for gap in gaps)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), most=st.sampled_from([1, 3, 7, 15, 31, 63, 127]))
def test_a_grid_of_any_scales_is_found(seed, most):
    """By numpy alone: the scales are those of the values' rounding, some a bit beside."""
    random = np.random.default_rng(seed)
    values = gridded(random, 30, 50, most)
    values[:, 1:][:, random.random(49) < 0.2] = 0
    assert back("scaled", values) is not None


def test_a_grid_takes_a_scale_a_channel_and_its_numbers():
    """4 bits: at most half a byte a weight; zeros pay as they do in other kernels."""
    random = np.random.default_rng(0)
    values = gridded(random, 1000, 20)
    name, data = smallest(values.view(np.uint32))
    assert name == "scaled"
    assert len(data) <= 20_000 / 2 + 4 * 20 + 30
    values[1:][random.random((999, 20)) < 0.95] = 0
    assert len(smallest(values.view(np.uint32))[1]) < 20_000 / 16 + 4 * 20 + 30


@pytest.mark.parametrize(
    "values",
    [
        np.float32([[0.5, -0.0], [1.0, 0.25]]),  # a zero with a sign
        np.float32([[np.nan, 1.0], [1.0, 1.0]]),
        np.float32([[np.inf, 1.0], [1.0, 1.0]]),
        np.float32([[1e-45, 1.0], [0.0, 1.0]]),  # some machines take such a scale for zero
        np.float32([[np.sqrt(2), 1.0], [1.0, 1.0]]),
        np.zeros((3, 2), np.float32),
        np.zeros((0, 2), np.float32),
        np.float32([0.5, 1.0]),  # one dimension
        np.int32([[1, 2], [3, 4]]),
        np.float16([[0.5, 1.0], [1.0, 1.0]]),
    ],
)
def test_what_is_on_no_grid_is_left_to_others(values):
    assert back("scaled", values) is None


def scaled(scales, inner=0, numbers=b"\1\2\3\4"):
    return bytes([len(scales)]) + np.float32(scales).tobytes() + bytes([inner]) + numbers


@pytest.mark.parametrize(
    "data",
    [
        scaled([]),
        scaled([1.0, 2.0, 3.0]),  # 4 values are no rows of 3
        scaled([0.0]),
        scaled([1e-45]),
        scaled([-1.0]),
        scaled([np.nan]),
        scaled([np.inf]),
        scaled([3e38]),  # times 127 it is infinite
        scaled([1.0], inner=5),  # itself
        scaled([1.0], inner=9),
        scaled([1.0], numbers=b"\1\2\3"),
        scaled([1.0], numbers=b"\1\2\3\4\5"),
    ],
)
def test_scales_that_nobody_writes_are_refused(data):
    coding = get("scaled")
    found = coding.decode(memoryview(scaled([0.5, 2.0])), 4, np.dtype("u4"))
    np.testing.assert_array_equal(found.view(np.float32), [0.5, 4, 1.5, 8])
    with pytest.raises(SlimFileError):
        coding.decode(memoryview(data), 4, np.dtype("u4"))
    with pytest.raises(SlimFileError):
        coding.decode(memoryview(scaled([0.5])), 4, np.dtype("u2"))


@pytest.mark.parametrize("name", CODINGS)
def test_damaged_bytes_are_refused_or_decoded_within_bounds(name):
    random = np.random.default_rng(0)
    values = np.where(random.random(400) < 0.3, random.choice(FLOATS[2:], 400), 0)
    if name == "constant":
        values = np.full(400, 1.5)
    if name == "scaled":
        values = gridded(random, 100, 4)
    whole = get(name).encode(values.astype(np.float32).view(np.uint32))
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[random.integers(len(damaged))] ^= 1 << random.integers(8)
        del damaged[random.integers(len(damaged)) + 1 if random.random() < 0.3 else 10**6 :]
        try:
            found = get(name).decode(memoryview(bytes(damaged)), 400, np.dtype("u4"))
            assert (found.shape, found.dtype) == ((400,), np.dtype("u4"))
        except SlimFileError:
            refused += 1
    assert refused > 30


@pytest.mark.parametrize("name", CODINGS)
def test_no_bytes_are_no_weight(name):
    with pytest.raises(SlimFileError):
        get(name).decode(memoryview(b""), 5, np.dtype("u4"))


def test_an_unknown_coding_is_an_error_of_ours():
    with pytest.raises(ParameterError, match="'zip', expected one of raw, constant"):
        get("zip")
    with pytest.raises(SlimFileError, match="received coding 99"):
        name_of(99)
    assert {name_of(coding.number) for coding in CODINGS.values()} == set(CODINGS)
