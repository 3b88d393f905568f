"""What is measured of network compression on MNIST: a function and a line of `STUDIES` each."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import keras

from benchmarks.compression_study import Row, Study
from benchmarks.digits import (
    as_floats,
    error,
    in_bytes,
    lenet5,
    lenet300,
    mlp,
    mlp512,
    wrong,
)
from slimderm.components.network_compression.binarise import Binarise
from slimderm.components.network_compression.ledger import ledger
from slimderm.components.network_compression.low_rank import LowRank
from slimderm.components.network_compression.miracle import Miracle
from slimderm.components.network_compression.packed import packed
from slimderm.components.network_compression.passes import Pass
from slimderm.components.network_compression.prune import Prune
from slimderm.components.network_compression.quantise import Quantise
from slimderm.components.network_compression.ranks import Ranks
from slimderm.components.network_compression.recipe import Step
from slimderm.components.network_compression.share import ShareWeights
from slimderm.components.network_compression.slim_file import pack, unpack
from slimderm.components.network_compression.sparsify import Sparsify
from slimderm.components.network_compression.truncate import GRADIENTS, Truncate
from slimderm.components.network_compression.xnor import XNOR

RANKS = (10, 20, 50, 100, 200)


def low_rank(study: Study) -> Iterator[Row]:
    """Sweep D with and without data, and train D = 20 on beside its control."""
    model = study.trained(mlp)
    base = {"parameters": model.count_params(), "error": error(model, study.test)}
    yield {"what": "full rank", **base}
    for aware in (False, True):
        for rank in RANKS:
            step = Step(LowRank(Ranks(rank=rank), data_aware=aware, layers=("hidden*",)))
            [made] = study.compressed(model, step)
            yield {
                "what": f"D = {rank}{', data-aware' if aware else ''}",
                "parameters": made.model.count_params(),
                "error": error(made.model, study.test),
            }
    step = Step(LowRank(Ranks(rank=20), data_aware=True, layers=("hidden*",)), epochs=3)
    [made] = study.compressed(model, step)
    yield {
        "what": "D = 20, data-aware, three more epochs",
        "parameters": made.model.count_params(),
        "error": error(made.model, study.test),
    }
    control = study.trained(mlp, more=3)
    yield {"what": "full rank, three more epochs", **base, "error": error(control, study.test)}


def dynamic(study: Study) -> Iterator[Row]:
    """Train D = 20 through the truncation by each gradient, beside factors and the control."""
    model = study.trained(mlp)
    base = {"parameters": model.count_params(), "error": error(model, study.test)}
    yield {"what": "full rank", **base}
    passes: dict[str, Pass] = {
        f"D = 20, {gradient}": Truncate(20, gradient, layers=("hidden*",))
        for gradient in (("tangent",) if study.quick else GRADIENTS)
    }
    passes["D = 20, factors"] = LowRank(Ranks(rank=20), data_aware=True, layers=("hidden*",))
    for what, setting in passes.items():
        [made] = study.compressed(model, Step(setting, epochs=DYNAMIC_EPOCHS))
        yield {
            "what": what,
            "parameters": made.model.count_params(),
            "error": error(made.model, study.test),
        }
    control = study.trained(mlp, more=DYNAMIC_EPOCHS)
    yield {"what": "full rank, trained as long", **base, "error": error(control, study.test)}


def deep(
    study: Study, build: Callable[[], keras.Model], zeros: Mapping[str, float]
) -> Iterator[Row]:
    """Compress by zeros, shared values and Huffman's code, for several numbers of bits."""
    model = study.trained(build)
    yield as_floats(study, "float32", model)
    sparse = Step(Sparsify(zeros, steps=4), epochs=ZERO_EPOCHS)
    for bits in (4, 2) if study.quick else (5, 4, 3, 2):
        *_, made = study.compressed(model, sparse, Step(ShareWeights(bits), epochs=SHARE_EPOCHS))
        yield in_bytes(study, f"{bits} bits", made.model, 4 * model.count_params())


def whole_recipe(study: Study) -> Iterator[Row]:
    """Prune channels of LeNet-5 first, then zeros, shared values and Huffman's code."""
    model = study.trained(lenet5)
    yield as_floats(study, "float32", model)
    epochs = 1 if study.quick else PRUNED_EPOCHS
    first = Step(Prune(ratio=CHANNELS, loss="sparse_categorical_crossentropy"), epochs)
    sparse = Step(Sparsify(FEWER, steps=6), epochs=1 if study.quick else FEWER_EPOCHS)
    for bits in (4,) if study.quick else (4, 3):
        shared = Step(ShareWeights(bits, biases=5), epochs=SHARE_EPOCHS)
        pruned, zeros, made = study.compressed(model, first, sparse, shared)
        if bits == 4:
            for what, each in (("pruned", pruned), ("zeros", zeros)):
                yield in_bytes(study, what, each.model, 4 * model.count_params())
        yield in_bytes(study, f"{bits} bits", made.model, 4 * model.count_params())


def quantised(study: Study) -> Iterator[Row]:
    """Put LeNet-5's kernels on grids of few bits, as they are and trained there."""
    model = study.trained(lenet5)
    yield as_floats(study, "float32", model)
    for bits in (4,) if study.quick else (8, 4, 3, 2):
        for epochs in (0, GRID_EPOCHS):
            [made] = study.compressed(model, Step(Quantise(bits), epochs=epochs))
            what = f"{bits} bits{', trained' if epochs else ''}"
            yield in_bytes(study, what, made.model, 4 * model.count_params())
    yield as_floats(study, "float32, trained as long", study.trained(lenet5, more=GRID_EPOCHS))


def xnor(study: Study) -> Iterator[Row]:
    """Train binary weights, and XNOR-Net with and without the scale of inputs, on from floats."""
    model = study.trained(mlp512)
    whole = 4 * model.count_params()
    yield as_floats(study, "float32", model)
    for what, setting in (
        ("binary weights", Binarise(scale="filter")),
        ("XNOR", XNOR()),
        ("XNOR, with K", XNOR(input_scale=True)),
    ):
        [made] = study.compressed(model, Step(setting, epochs=BINARY_EPOCHS))
        row = in_bytes(study, what, made.model, whole)
        yield row
        if isinstance(setting, XNOR):
            said = packed(made.model).predict(study.test.images, batch_size=1000)
            yield row | {"what": f"{what}, by counting bits", "error": wrong(said, study.test)}
    control = study.trained(mlp512, more=BINARY_EPOCHS)
    yield as_floats(study, f"float32, {BINARY_EPOCHS} more epochs", control)


class Codes(NamedTuple):
    """Random codes: the defaults train 100 epochs before the first block is coded, 95 after."""

    sizes: tuple[int, ...]
    hashing: Mapping[str, int]
    before: tuple[Step, ...] = ()
    trainings: int = 20
    rounds: int = 20
    pace: float = 1.0005


def miracle(study: Study, build: Callable[[], keras.Model], codes: Codes) -> Iterator[Row]:
    """Compress by minimal random codes of some numbers of bytes."""
    model = study.trained(build)
    whole = 4 * model.count_params()
    yield as_floats(study, "float32", model)
    times = (1, 2) if study.quick else (codes.trainings, codes.rounds)
    for size in codes.sizes:
        code = Miracle(size, 12, codes.hashing, *times, codes.pace)
        *_, made = study.compressed(model, *codes.before, Step(code, epochs=CODE_EPOCHS))
        data = pack(made.model, made.code)
        yield {
            "what": f"codes of {size} bytes",
            "bytes": len(data),
            "zstd": ledger(made.model, made.code)["zstd_symbols_bytes"],
            "times": whole / len(data),
            "error": error(unpack(data), study.test),
        }


ZERO_EPOCHS, SHARE_EPOCHS, BINARY_EPOCHS = 8, 5, 4
DYNAMIC_EPOCHS, GRID_EPOCHS = 1, 3
CHANNELS = 0.6  # share of LeNet-5's channels and units that the whole recipe prunes
FEWER = {"convolution1": 0.5, "convolution2": 0.87, "dense1": 0.945, "dense2": 0.75}
PRUNED_EPOCHS, FEWER_EPOCHS = 15, 10
CODE_EPOCHS = 5
# Shares of zeros as in the paper's tables 2 and 3.
STUDIES: dict[str, Callable[[Study], Iterator[Row]]] = {
    "low_rank": low_rank,
    "dynamic": dynamic,
    "deep_lenet300": lambda study: deep(
        study, lenet300, {"dense1": 0.92, "dense2": 0.91, "dense3": 0.74}
    ),
    "deep_lenet5": lambda study: deep(
        study,
        lenet5,
        {"convolution1": 0.34, "convolution2": 0.88, "dense1": 0.92, "dense2": 0.81},
    ),
    "recipe_lenet5": whole_recipe,
    "quantised": quantised,
    "xnor": xnor,
    "miracle_lenet300": lambda study: miracle(
        study, lenet300, Codes((1_250,), {"dense1": 20, "dense2": 5})
    ),
    "miracle_pruned": lambda study: miracle(
        study,
        lenet5,
        Codes(
            (2_700, 1_550),
            {"dense1": 4},
            (Step(Prune(ratio=CHANNELS, loss="sparse_categorical_crossentropy"), PRUNED_EPOCHS),),
            trainings=8,
            rounds=10,
            pace=1.001,
        ),
    ),
    "miracle_lenet5": lambda study: miracle(  # hashed as by the paper's authors
        study, lenet5, Codes((2_700, 1_550), {"convolution2": 2, "dense1": 50})
    ),
}
