"""Random codes: the law by which samples are chosen, what a code stands for, its bytes."""

import math
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from scipy import stats

from slimderm import load_slim, save_slim
from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.network_compression import coder
from slimderm.components.network_compression.bits import varint
from slimderm.components.network_compression.coder import choose
from slimderm.components.network_compression.codings.table import RANDOM_NUMBER
from slimderm.components.network_compression.random_code import Blocks, RandomCode, decode
from slimderm.components.network_compression.slim_architecture import build, read_architecture
from slimderm.components.network_compression.slim_container import read_container, write_container
from slimderm.components.network_compression.slim_file import inspect, pack, unpack
from slimderm.components.network_compression.slim_random import read_random
from slimderm.components.network_compression.slim_weights import weights_of

ROOT = Path(__file__).parents[3]


def test_samples_are_chosen_in_proportion_to_q_over_p():
    """One block of two normals, whose 32 samples have known shares."""
    means, sigmas = np.array([0.4, -0.3]), np.array([0.8, 0.6])
    blocks = Blocks(seed=5, bits=5, num_normals=2, num_blocks=1)
    z = blocks.samples(0, 0, 32)[:, :2]
    shares = stats.norm.pdf(z, means, sigmas) / stats.norm.pdf(z)
    shares = shares.prod(axis=1) / shares.prod(axis=1).sum()
    generator = np.random.default_rng(0)
    drawn = [choose(blocks, 0, means, sigmas, generator) for _ in range(4000)]
    counts = np.bincount(drawn, minlength=32)
    few = shares < 10 / 4000
    observed = np.append(counts[~few], counts[few].sum())
    expected = 4000 * np.append(shares[~few], shares[few].sum())
    assert stats.chisquare(observed, expected).pvalue > 0.01


def test_what_is_chosen_over_many_blocks_is_distributed_as_q():
    mean, sigma = 0.7, 0.3  # 1.6 bits from the prior: 10 are plenty
    blocks = Blocks(seed=1, bits=10, num_normals=600, num_blocks=600)
    generator = np.random.default_rng(0)
    indices = [choose(blocks, each, [mean], [sigma], generator) for each in range(600)]
    chosen = blocks.chosen(indices)
    assert stats.kstest(chosen, stats.norm(mean, sigma).cdf).pvalue > 0.01
    assert stats.kstest(chosen, stats.norm(mean + 0.1, sigma).cdf).pvalue < 0.01


def test_samples_that_are_drawn_in_parts_are_the_same(monkeypatch):
    blocks = Blocks(seed=1, bits=8, num_normals=40, num_blocks=2)
    z = blocks.samples(1, 0, 256)
    goal = z[201, :20].astype(float)
    for size in (256, 100, 7):
        monkeypatch.setattr(coder, "CHUNK", size)
        found = choose(blocks, 1, goal, np.full(20, 0.01), np.random.default_rng(0))
        assert found == 201


def test_every_normal_has_a_place_of_its_own():
    blocks = Blocks(seed=3, bits=4, num_normals=103, num_blocks=10)
    places = set(zip(blocks.block.tolist(), blocks.column.tolist(), strict=True))
    assert len(places) == 103
    sizes = np.bincount(blocks.block)
    assert sizes.min() == 10
    assert sizes.max() == 11
    for block in range(10):
        own = blocks.members(block)
        assert (blocks.block[own] == block).all()
        assert blocks.column[own].tolist() == list(range(len(own)))


def network():
    return keras.Sequential(
        [
            keras.Input((9, 8, 2)),
            layers.Conv2D(5, 3, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(),
            layers.Dense(6, name="second"),
        ]
    )


@cache
def coded():
    model = network()
    weights = dict(weights_of(model))
    paths = ["first/kernel", "first/bias", "second/kernel", "second/bias"]
    groups = dict.fromkeys(paths, 1) | {"second/kernel": 7}
    scales = {path: float(np.float16(0.1 + place)) for place, path in enumerate(paths)}
    indices = np.random.default_rng(0).integers(2**11, size=21)
    code = RandomCode(2**40, 11, tuple(indices.tolist()), groups, scales)
    values = decode(code, {path: math.prod(weights[path].shape) for path in paths})
    for path, each in values.items():
        weights[path].assign(each.reshape(weights[path].shape))
    return model, code


def test_a_file_has_scales_and_indices_and_no_more():
    model, code = coded()
    contents = inspect(pack(model, code))
    rows = {row.path: row for row in contents.weights}
    head = len(varint(2**40)) + 1 + 1  # seed, bits, number of blocks
    assert rows["first/kernel"].num_bytes == 3 + head + math.ceil(21 * 11 / 8)
    for path in ("first/bias", "second/kernel", "second/bias"):
        assert (rows[path].coding, rows[path].num_bytes) == ("random", 3)  # scale and group
    assert rows["norm/gamma"].coding == "constant"


def test_groups_share_a_normal_but_for_the_sign():
    _, code = coded()
    kernel = decode(code, {"first/kernel": 90, "first/bias": 5, "second/kernel": 1260 - 3,
                           "second/bias": 6})["second/kernel"]  # fmt: skip
    sizes = np.abs(kernel[:1253].reshape(-1, 7))
    np.testing.assert_array_equal(sizes, sizes[:, :1].repeat(7, axis=1))
    assert len(np.unique(sizes)) > 150
    assert 0.4 < np.mean(kernel > 0) < 0.6


def test_a_fresh_process_decodes_the_same_bits(tmp_path):
    model, code = coded()
    save_slim(model, tmp_path / "small.slim", code=code)
    program = (
        "import numpy as np; from slimderm import load_slim\n"
        "np.savez('weights.npz', *load_slim('small.slim').get_weights())"
    )
    environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, env=environment)
    with np.load(tmp_path / "weights.npz") as found:
        for ours, theirs in zip(model.get_weights(), found.values(), strict=True):
            assert ours.tobytes() == theirs.tobytes()
    assert load_slim(tmp_path / "small.slim").count_params() == model.count_params()


def test_a_code_of_other_weights_is_refused():
    model, code = coded()
    other = keras.models.clone_model(model)
    with pytest.raises(ParameterError, match="first/kernel: received weights that are not those"):
        pack(other, code)
    other.set_weights(model.get_weights())
    assert pack(other, code) == pack(model, code)
    other.layers[-1].bias.assign(np.append(np.asarray(model.layers[-1].bias)[:5], 1))
    with pytest.raises(ParameterError, match="second/bias: received weights that are not those"):
        pack(other, code)
    strange = replace(code, groups=code.groups | {"third/kernel": 1})
    with pytest.raises(ParameterError, match=r"code: received one of .*third/kernel"):
        pack(model, strange)


def changed(place, data):
    """The file with what one record of a random code holds changed."""
    container = read_container(pack(*coded()))
    records = list(container.records)
    records[place] = (RANDOM_NUMBER, data(bytes(records[place][1])))
    return write_container(container.architecture, records)


def head(seed=1, bits=11, blocks=21, indices=29):
    """A first record: its scale and group, and what stands once."""
    text = varint(seed) + varint(bits) + varint(blocks) + bytes(indices)
    return lambda data: data[:3] + text


FIRST, BIAS, DENSE = 0, 1, 6  # places of records


@pytest.mark.parametrize(
    ("place", "data", "said"),
    [
        (FIRST, head(bits=0), "0 bits|of 0 bits"),
        (FIRST, head(bits=21), "blocks of 21 bits"),
        (FIRST, head(blocks=0), "of 0 blocks"),
        (FIRST, head(blocks=282), "282 blocks of 11 bits for 281 normals"),
        (FIRST, head(blocks=2**50), "blocks of 11 bits"),
        (FIRST, head(indices=28), "where 29 should follow"),
        (FIRST, head(indices=30), "behind the last index"),
        (FIRST, lambda data: data[:-1] + bytes([data[-1] | 1]), "behind the last index"),
        (FIRST, lambda data: data[:2], "where 1 should follow"),
        (BIAS, lambda data: data + b"\0", "behind the scale"),
        (BIAS, lambda data: b"\0\0\1", "scale 0.0"),
        (BIAS, lambda data: b"\0\x7c\1", "scale inf"),
        (BIAS, lambda data: b"\0\x7e\1", "scale nan"),
        (BIAS, lambda data: b"\0\xbc\1", "scale -1.0"),
        (DENSE, lambda data: data[:2] + b"\0", "groups of 0"),
        (DENSE, lambda data: data[:2] + varint(1261), "groups of 1261 for 1260 weights"),
    ],
)
def test_random_codes_that_nobody_writes_are_refused(place, data, said):
    with pytest.raises(SlimFileError, match=said):
        unpack(changed(place, data))


def test_only_float32_is_coded():
    half = keras.Sequential([keras.Input((3,)), layers.Dense(4, dtype="float16")])
    container = read_container(pack(half))
    record = (RANDOM_NUMBER, b"\0\x3c\1" + varint(1) + varint(8) + varint(1) + b"\0")
    with pytest.raises(SlimFileError, match="weights of float16"):
        unpack(write_container(container.architecture, [record, container.records[1]]))


def test_a_small_code_of_a_large_network_is_refused_quickly_and_takes_no_memory():
    """20 million normals to come from a few bytes: they have a limit of their own."""
    wide = keras.Sequential([keras.Input((5000,)), layers.Dense(7, use_bias=False)])
    architecture = read_container(pack(wide)).architecture
    architecture = architecture.replace(b'"units":7,', b'"units":4000,')
    record = (RANDOM_NUMBER, b"\0\x3c\1" + varint(1) + varint(20) + varint(1) + bytes(3))
    data = write_container(architecture, [record])
    start = time.process_time()
    tracemalloc.start()
    try:
        for limit in (10**6, 250_000_000):
            with pytest.raises(SlimFileError, match=r"max_parameters|20000000 normals"):
                unpack(data, max_parameters=limit)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 5


def test_a_thousand_mutations_of_a_code_do_no_harm():
    """Bits of one record flip, bytes go or come; half of the indices are codes of other weights."""
    container = read_container(pack(*coded()))
    random = np.random.default_rng(0)
    places = [
        place for place, (number, _) in enumerate(container.records) if number == RANDOM_NUMBER
    ]
    sizes = [weight.shape for weight in coded()[0].weights]
    document = read_architecture(container.architecture, 10_000)
    weights = weights_of(build(document))
    read = 0
    tracemalloc.start()
    try:
        for _ in range(1000):
            records = {weights[place][0]: bytes(container.records[place][1]) for place in places}
            path = list(records)[random.integers(len(records))]
            records[path] = damaged(bytearray(records[path]), random)
            try:
                found = read_random(
                    {path: memoryview(data) for path, data in records.items()}, weights
                )
            except SlimFileError:
                continue
            read += 1
            for place, values in zip(places, found.values(), strict=True):
                assert values.shape == (math.prod(sizes[place]),)
                assert np.isfinite(values).all()
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert 200 < read < 800


def damaged(data, random):
    place = int(random.integers(len(data)))
    kind = random.integers(4)
    if kind < 2:
        data[place] ^= 1 << int(random.integers(8))
    elif kind == 2:
        del data[place:]
    else:
        data[place:place] = random.bytes(int(random.integers(1, 9)))
    return bytes(data)
