"""The file `.slim`: models come back bit for bit, also elsewhere; nothing hostile gets through."""

import json
import subprocess
import sys
import time
import tracemalloc
import zlib
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest

from slimderm import load_slim, save_slim
from slimderm.components.common.errors import ParameterError, SlimFileError
from slimderm.components.network_compression.slim_container import (
    MAGIC,
    read_container,
    write_container,
)
from slimderm.components.network_compression.slim_dictionary import DICTIONARY
from slimderm.components.network_compression.slim_file import inspect, pack, unpack

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).with_name("golden.slim")
LIMIT = 5000  # parameters, of the tiny network

layers = keras.layers


@pytest.fixture(autouse=True)
def _seed():
    keras.utils.set_random_seed(0)


def tiny():
    image = keras.Input((6, 5, 1), name="image")
    x = layers.Conv2D(3, 3, activation="relu", name="first")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(2, activation="softmax", name="answer")(x), name="tiny")


def lenet5():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(20, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(50, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(500, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def with_two_inputs():
    image, metadata = keras.Input((6, 5, 1), name="image"), keras.Input((3,), name="metadata")
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    x = keras.ops.relu(shared(shared(layers.Conv2D(2, 1)(image)))) * 2.0
    x = layers.Flatten()(x[:, 1:3])
    normal = layers.Normalization(name="normal")
    normal.adapt(np.arange(12.0).reshape(4, 3))
    joined = layers.Concatenate()([x, normal(metadata)])
    return keras.Model({"image": image, "metadata": metadata}, layers.Dense(2)(joined))


def nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="inside")], name="inner")
    values = keras.Input((2, 4))
    x = layers.TimeDistributed(inner, name="each")(values)
    x = layers.Bidirectional(layers.LSTM(2), name="both")(x)
    head = keras.Sequential([layers.Dense(4), layers.Dropout(0.5), layers.Dense(4)], name="head")
    x = head(head(x))
    return keras.Model(values, [layers.Activation("gelu")(x), layers.Embedding(5, 2)(values)])


def mixed():
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    half = keras.dtype_policies.DTypePolicy("bfloat16")
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, dtype=policy), layers.Dense(40, dtype=half)]
    )


def quantised():
    model = keras.Sequential([keras.Input((16,)), layers.Dense(8, name="int8")])
    model.quantize("int8", filters="int8")
    return model


def attentive():
    seed = keras.random.SeedGenerator(3)
    start = keras.initializers.GlorotUniform(seed=seed)
    values = keras.Input((3, 4))
    x = layers.MultiHeadAttention(2, 2, kernel_initializer=start)(values, values)
    x = layers.LayerNormalization()(layers.Dropout(0.5, seed=2**40)(x))
    x = layers.Dense(2, kernel_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(2))(x)
    return keras.Model(values, layers.RandomFlip()(layers.Reshape((2, 3, 1))(x)))


def without_weights():
    return keras.Sequential([keras.Input((3,)), layers.ReLU()])


MODELS = [tiny, lenet5, with_two_inputs, nested, mixed, quantised, attentive, without_weights]


def weights(model):
    return [
        (
            weight.dtype,
            tuple(weight.shape),
            np.asarray(keras.ops.convert_to_numpy(weight)).tobytes(),
        )
        for weight in model.weights
    ]


def inputs_of(model):
    random = np.random.default_rng(0)
    one = [random.random((2, *tensor.shape[1:]), np.float32) for tensor in model.inputs]
    return (
        {tensor.name: each for tensor, each in zip(model.inputs, one, strict=True)}
        if one[1:]
        else one[0]
    )


def predictions(model):
    found = model.predict(inputs_of(model), verbose=0)
    return [each.tobytes() for each in keras.tree.flatten(found)]


@pytest.mark.parametrize("make", MODELS)
def test_a_model_comes_back_bit_for_bit(make):
    model = make()
    again = unpack(pack(model))
    assert type(again) is type(model)
    assert weights(again) == weights(model)
    assert [each.path for each in again.weights] == [each.path for each in model.weights]
    assert predictions(again) == predictions(model)
    assert not again.compiled
    assert pack(again) == pack(model)


def test_a_fresh_process_reads_the_same_weights_and_predicts_the_same(tmp_path):
    model = lenet5()
    kernel = model.layers[-2].kernel
    values = np.random.default_rng(0).choice(np.float32([0, 0, 0, 0, 0.01, -0.02]), kernel.shape)
    kernel.assign(values)
    save_slim(model, tmp_path / "folder" / "small.slim")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["small.slim"]
    images = np.random.default_rng(0).random((4, 28, 28, 1), np.float32)
    np.save(tmp_path / "images.npy", images)
    code = (
        "import numpy as np; from slimderm import load_slim; import time\n"
        "model = load_slim('folder/small.slim')\n"
        "np.savez('weights.npz', *model.get_weights())\n"
        "np.save('answers.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, env=environment)
    with np.load(tmp_path / "weights.npz") as found:
        for ours, theirs in zip(model.get_weights(), found.values(), strict=True):
            assert ours.tobytes() == theirs.tobytes()
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_array_equal(answers, model.predict(images, verbose=0))


def test_values_that_compare_oddly_keep_their_bits():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    bits = np.array([0x7FC00123, 0xFFC00001, 0x80000000, 0, 1, 0x7F800000, 0, 0], np.uint32)
    model.layers[0].kernel.assign(bits.view(np.float32).reshape(4, 2))
    model.layers[0].bias.assign(np.float32([-0.0, 0.0]))
    again = unpack(pack(model))
    assert weights(again) == weights(model)
    assert (
        np.asarray(again.layers[0].kernel).view(np.uint32).tolist() == bits.reshape(4, 2).tolist()
    )


def test_what_was_learned_outside_the_weights_comes_along():
    words = layers.StringLookup(output_mode="one_hot")
    words.adapt([["face"], ["back"], ["face"]])
    site = keras.Input((1,), dtype="string")
    model = keras.Model(site, layers.Dense(1, use_bias=False)(words(site)))
    again = unpack(pack(model))
    assert again.layers[1].get_vocabulary() == words.get_vocabulary()


def test_an_optimizer_is_not_written():
    model = tiny()
    bare = pack(model)
    model.compile("adam", "categorical_crossentropy")
    model.fit(np.zeros((2, 6, 5, 1)), np.eye(2), verbose=0)
    trained = pack(model)
    assert abs(len(trained) - len(bare)) < 100  # other weights, no slots
    assert not unpack(trained).compiled


def test_headers_are_lean():
    """MIRACLE's LeNet-5 is to take 1.7 kB whole."""
    model = lenet5()
    for weight in model.weights:
        weight.assign(np.full(weight.shape, 0.5))
    contents = inspect(pack(model))
    assert contents.architecture_bytes < 150
    assert contents.frame_bytes < 50
    assert contents.total_bytes < 250


def test_inspect_says_where_the_bytes_are():
    model = tiny()
    model.get_layer("first").kernel.assign(np.ones((3, 3, 1, 3)))
    data = pack(model)
    contents = inspect(data)
    assert contents.name == "tiny"
    assert [row.path for row in contents.weights] == [
        "first/kernel",
        "first/bias",
        "norm/gamma",
        "norm/beta",
        "norm/moving_mean",
        "norm/moving_variance",
        "answer/kernel",
        "answer/bias",
    ]
    assert contents.weights[0].shape == (3, 3, 1, 3)
    assert (contents.weights[0].coding, contents.weights[0].num_bytes) == ("constant", 4)
    assert contents.num_parameters == model.count_params()
    assert contents.raw_bytes == 4 * model.count_params()
    payload = sum(row.num_bytes for row in contents.weights)
    assert contents.total_bytes == len(data)
    assert contents.frame_bytes + contents.architecture_bytes + payload == len(data)


class Own(layers.Layer):
    def call(self, inputs):
        return inputs


def twice(values):
    return 2 * values


def unsaveable(part):
    return keras.Sequential([keras.Input((3,)), part, layers.Dense(1)])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: unsaveable(layers.Lambda(twice, name="mine")),
            "mine: received .*Lambda, which runs code",
        ),
        (lambda: unsaveable(Own(name="mine")), "mine: received .*Own, which is no class of Keras"),
        (lambda: unsaveable(layers.Dense(2, activation=twice, name="mine")), "mine: .* a function"),
        (
            lambda: unsaveable(layers.Dense(2, activation=keras.ops.gelu, name="mine")),
            "mine: received activation=keras.src.ops.nn.gelu",
        ),
        (lambda: keras.Sequential([layers.Dense(1)]), "not built"),
        (lambda: 3, "expected a keras.Model"),
    ],
)
def test_what_a_file_cannot_hold_is_named(make, said):
    with pytest.raises(ParameterError, match=said):
        pack(make())


def test_damage_is_named():
    data = pack(tiny())
    bumped = data[: len(MAGIC)] + bytes([data[len(MAGIC)] + 1])
    newer = bumped + data[len(bumped) : -4]
    newer += zlib.crc32(newer).to_bytes(4, "little")
    for damaged, said in (
        (b"", "starts with b''"),
        (b"PK\x03\x04" + data, "expected b'\\\\x8bSLIM"),
        (data.replace(b"\r\n", b"\n", 1), "transfer as text"),
        (newer, "version 2, expected 1; a later SlimDerm"),
        (data[:-1], "checksum"),
        (data[:9], "checksum"),
        (data + b"\0", "checksum"),
        (data[:40] + bytes([data[40] ^ 1]) + data[41:], "checksum"),
    ):
        with pytest.raises(SlimFileError, match=said):
            unpack(damaged)
        with pytest.raises(SlimFileError, match=said):
            inspect(damaged)


@cache
def tiny_file():
    return read_container(pack(tiny()))


def rewritten(change, records=None):
    """The tiny network's file, its architecture changed."""
    document = json.loads(tiny_file().architecture)
    change(document["config"])
    records = tiny_file().records if records is None else records
    return write_container(json.dumps(document).encode(), records)


def put(part):
    """Put something in the place of the first convolution."""

    def change(config):
        config["layers"][1] |= part

    return change


FUNCTION = {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": 0}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"module": "os", "class_name": "system"}, "os.system, which is no class of Keras"),
        ({"module": "subprocess", "class_name": "Popen"}, "no class of Keras"),
        ({"module": "keras.layers", "class_name": "Lambda"}, "runs code of its own"),
        ({"module": "keras.layers", "class_name": "TFSMLayer"}, "runs code of its own"),
        ({"module": "keras.utils", "class_name": "get_file"}, "no class of Keras"),
        ({"module": "keras.optimizers", "class_name": "Adam"}, "no part of a network"),
        ({"module": "keras", "class_name": "Model"}, "no functional or sequential model"),
        ({"registered_name": "mine>Conv2D"}, "under the name 'mine>Conv2D'"),
        ({"module": None}, "None.Conv2D"),
        ({"module": ["keras"]}, "no class of Keras"),
        ({"class_name": {}}, "no class of Keras"),
        ({"compile_config": {"optimizer": "adam"}}, "a compile_config"),
        ({"build_config": {"input_shape": [None, 3]}}, "a build_config"),
        ({"config": {"activation": FUNCTION}}, "a function"),
        ({"config": {"x": {"class_name": "__lambda__", "config": {}}}}, "a function"),
        ({"config": {"x": {"class_name": "__typespec__", "module": "os"}}}, "no class of Keras"),
        ({"config": {"vocabulary": "/etc/hostname"}}, "read from a file"),
        ({"config": {"filters": 10**12}}, "the number 1000000000000, which is above"),
        ({"config": {"name": "first"}}, "Keras cannot build"),
        ({"config": json.loads("[" * 150 + "]" * 150)}, "deeper than 100"),
    ],
)
def test_an_architecture_that_names_more_than_keras_is_refused(part, said):
    data = rewritten(put(part))
    for read in (unpack, inspect):
        with pytest.raises(SlimFileError, match=said):
            read(data)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"3", "no model"),
        (b"{}", "no model"),
        (b'{"class_name":"Sequential","module":"keras"}', "without a config"),
        (b'{"class_name":"Dense","module":"keras.layers","config":{}}', "no model"),
        (b'{"class_name":"Sequential","module":"keras","config":{}}', "cannot build"),
    ],
)
def test_an_architecture_that_is_no_model_is_refused(text, said):
    with pytest.raises(SlimFileError, match=said):
        unpack(write_container(text, []))


@pytest.mark.parametrize("units", [10**12, 10**8])
def test_an_absurd_network_is_refused_quickly_and_takes_no_memory(units):
    data = rewritten(lambda config: config["layers"][-1]["config"].update(units=units))
    start = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(SlimFileError, match="max_parameters"):
            unpack(data)
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
    assert time.process_time() - start < 5
    assert unpack(pack(tiny())).built  # and what was given up is not made later


def test_the_limit_is_the_callers():
    data = pack(tiny())
    count = tiny().count_params()
    assert unpack(data, max_parameters=count).count_params() == count
    with pytest.raises(SlimFileError, match=f"{count} parameters, expected at most {count - 1}"):
        unpack(data, max_parameters=count - 1)
    with pytest.raises(ParameterError, match="data: received str, expected bytes"):
        unpack("small.slim")
    for wrong in (0, -1, 1.5, None):
        with pytest.raises(ParameterError, match="max_parameters: received"):
            unpack(data, max_parameters=wrong)


def test_an_architecture_that_unpacks_without_end_is_refused():
    data = write_container(b" " * ((1 << 24) + 1), [])
    with pytest.raises(SlimFileError, match="expected at most 16777216"):
        unpack(data)


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "0 weights for an architecture of 8"),
        ([(0, b"")] * 8, "first/kernel: received 0 bytes for 27 values"),
        ([(77, b"")] * 8, "received coding 77"),
    ],
)
def test_records_that_do_not_fit_are_refused(records, said):
    with pytest.raises(SlimFileError, match=said):
        unpack(rewritten(lambda config: None, records))


def mutated(data, random, mend):
    """Flip, cut or insert somewhere; perhaps with the checksum made right again."""
    body = bytearray(data[:-4])
    place = int(random.integers(len(MAGIC) + 1 if mend else 0, len(body)))
    kind = random.integers(4)
    if kind < 2:
        body[place] ^= int(random.integers(1, 256))
    elif kind == 2:
        del body[place : place + int(random.integers(1, 20)) if mend else None]
    else:
        body[place:place] = random.bytes(int(random.integers(1, 9)))
    return bytes(body) + (zlib.crc32(body).to_bytes(4, "little") if mend else data[-4:])


@pytest.mark.slow
def test_a_thousand_mutations_do_no_harm():
    parts = [layers.Dense(8, name="first"), layers.Dense(20, use_bias=False, name="grid")]
    model = keras.Sequential([keras.Input((9,)), *parts])
    model.layers[0].kernel.assign(np.where(np.arange(72).reshape(9, 8) % 3, 0, 0.5))
    random = np.random.default_rng(0)
    numbers = np.vstack([np.full(20, 7), random.integers(-7, 8, (7, 20))]).astype(np.float32)
    model.layers[1].kernel.assign(numbers * random.random(20).astype(np.float32))
    data = pack(model)
    assert [row.coding for row in inspect(data).weights] == ["sparse", "sparse", "scaled"]
    read, said = 0, set()
    tracemalloc.start()
    try:
        for number in range(1000):
            damaged = mutated(data, random, mend=number % 2 == 1)
            try:
                found = unpack(damaged, max_parameters=LIMIT)
            except SlimFileError as error:
                said.add(str(error).split(":")[0])
                continue
            read += 1
            declared = inspect(damaged, max_parameters=LIMIT).weights
            assert [(row.dtype, row.shape) for row in declared] == [
                each[:2] for each in weights(found)
            ]
            assert found.count_params() <= LIMIT
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert read > 10  # some bits are values of weights
    assert {"file", "architecture", "first/kernel", "grid/kernel"} <= said


ODD = [None, -1, 0, 1, 3.5, True, "", "x", [], [0, 0], [None], {}, 4999, float("nan")]


def leaves(value):
    """Every place in a JSON value that holds no other: its container and its key."""
    places = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in places:
        if isinstance(part, (dict, list)) and part:
            yield from leaves(part)
        yield value, key


def test_odd_values_in_an_architecture_do_no_harm():
    random = np.random.default_rng(0)
    read = 0
    for _ in range(60):

        def change(config):
            places = list(leaves(config))
            container, key = places[random.integers(len(places))]
            container[key] = ODD[random.integers(len(ODD))]

        try:
            unpack(rewritten(change), max_parameters=LIMIT)
            read += 1
        except SlimFileError:
            pass
    assert 5 < read < 55


def test_the_dictionary_of_version_1_stays_as_it_is():
    assert (len(DICTIONARY), zlib.crc32(DICTIONARY)) == (15990, 171271383)


def test_the_golden_file_is_read():
    """Written by the first version, with the codings that it had; later versions read it."""
    rows = inspect(GOLDEN.read_bytes()).weights
    found = dict(zip([row.path for row in rows], load_slim(GOLDEN).get_weights(), strict=True))
    expected = {
        "deflate/kernel": np.sqrt(np.arange(600, dtype=np.float32)).reshape(20, 30),
        "deflate/bias": np.full(30, 0.125, np.float32),
        "shared/kernel": np.where(np.arange(300) ** 3 % 331 % 3, 0.5, -0.25).reshape(30, 10),
        "shared/bias": np.zeros(10, np.float32),
        "sparse/kernel": np.where(np.arange(800) % 97, 0, 1.5).reshape(10, 80),
        "sparse/bias": np.where(np.arange(80) % 9, 0, 1 + np.arange(80)),
        "raw/kernel": np.arange(80, dtype=np.float32).reshape(80, 1) ** 3,
        "raw/bias": np.float32([np.pi]),
    }
    assert {row.path: row.coding for row in rows} == {
        "deflate/kernel": "deflate",
        "deflate/bias": "constant",
        "shared/kernel": "shared",
        "shared/bias": "sparse",
        "sparse/kernel": "sparse",
        "sparse/bias": "sparse",
        "raw/kernel": "deflate",
        "raw/bias": "raw",
    }
    for path, values in expected.items():
        np.testing.assert_array_equal(found[path], values.astype(np.float32), path)


def test_the_golden_file_of_the_coding_scaled_is_read():
    """Whole numbers of 4 and of 8 bits."""
    found = load_slim(GOLDEN.with_name("golden_scaled.slim"))
    four = np.arange(600).reshape(200, 3) ** 3 % 1009 % 15 - 7
    eight = np.arange(240).reshape(3, 80) ** 3 % 1009 % 255 - 127
    four[0], eight[0] = 7, 127
    np.testing.assert_array_equal(found.get_weights()[0], four * np.float32([0.125, 0.5, 3]))
    scales = np.sqrt(1 + np.arange(80, dtype=np.float32))
    np.testing.assert_array_equal(found.get_weights()[2], eight.astype(np.float32) * scales)
    rows = inspect(GOLDEN.with_name("golden_scaled.slim").read_bytes()).weights
    assert [row.coding for row in rows] == ["scaled", "sparse", "scaled", "sparse"]
