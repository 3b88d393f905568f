"""Minimal random code learning: a network as the numbers of random samples, in so many bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import keras
import numpy as np

from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.coder import Coder, Plan
from slimderm.components.network_compression.passes import (
    Compressed,
    Means,
    Order,
    Pass,
    chosen,
    compared,
)
from slimderm.components.network_compression.random_code import (
    MOST_BITS,
    MOST_BLOCKS,
    MOST_NORMALS,
    Part,
)
from slimderm.components.network_compression.replaceable import with_plain_kernels
from slimderm.components.network_compression.slim_random import num_bytes
from slimderm.components.network_compression.slim_weights import weights_of

LARGEST_SEED = (1 << 63) - 1
DEFAULT_BITS, DEFAULT_PACE = 10, 1.001


@dataclass(frozen=True)
class Miracle(Pass):
    """Code dense layers and convolutions, biases included, in a given number of bytes.

    Each weight becomes a normal distribution that is trained beside a learned prior. All weights
    are put into blocks of as many bits; a penalty a block holds its divergence at these bits. Then
    blocks are coded, some at a time, as the number of a random sample, and what is not coded yet
    is trained on.

    The model stays as large as it is in memory. It is the file that gets small, if it is written
    with the code beside the model: ``save_slim(made.model, path, code=made.code)``.

    Attributes
    ----------
    num_bytes : int
        Of the codes and scales in the file; architecture, frame and other weights come on top.
    bits : int
        Of a block, 1 to 20. More bits a block, with fewer blocks, code better and take longer:
        2ᵇⁱᵗˢ samples are drawn for each.
    hashing : mapping
        Path of a layer (``*`` and ``?`` stand for any characters; the first pattern that fits
        counts) to how many weights of its kernel share one trained value, each times ±1. For
        kernels with many more weights than there are bits.
    trainings : int
        How often the network is trained before the first block is coded.
    rounds : int
        In how many groups blocks are coded; the network is trained between two.
    pace : float
        What a penalty is multiplied with, or divided by, at each step, above 1. Penalties start
        at 1e-8 and end near 1e-4: nearer to 1 is better and takes more steps.
    layers : sequence of str, optional
        As for `slimderm.components.network_compression.binarise.Binarise`; all where not given.

    References
    ----------
    Havasi, Peharz, Hernández-Lobato, "Minimal Random Code Learning", arXiv:1810.00440.
    """

    num_bytes: int
    bits: int = DEFAULT_BITS
    hashing: Mapping[str, int] = field(default_factory=dict)
    trainings: int = 1
    rounds: int = 10
    pace: float = DEFAULT_PACE
    layers: Sequence[str] | None = None
    order: ClassVar[Order] = Order.CODES

    def __post_init__(self) -> None:
        check_whole("num_bytes", self.num_bytes)
        check_whole("bits", self.bits, most=MOST_BITS)
        check_whole("trainings", self.trainings)
        check_whole("rounds", self.rounds)
        for layer, group in self.hashing.items():
            check_whole("hashing", group, where=f" for {layer}")
        if not 1 < self.pace < 2:
            raise ParameterError(
                f"pace: received {self.pace!r}, expected a number above 1 and below 2, such as "
                f"{DEFAULT_PACE}"
            )

    def _compress(self, model: keras.Model, means: Means) -> Compressed:
        if means.fine_tune is None:
            raise ParameterError(
                "fine_tune: received none, expected a training: a code of few bits stands for "
                "weights that were trained towards it"
            )
        plan, left = self._plan(model, means.seed)
        coder = Coder(model, plan)
        coder.load(means.progress)
        groups = np.array_split(np.arange(plan.num_blocks), min(self.rounds, plan.num_blocks))
        while coder.done < self.trainings + len(groups):
            group = coder.done - self.trainings
            if group < 0:
                means.train(coder.network)
            else:
                coder.settle_scales()
                coder.code(groups[group])
                if group + 1 < len(groups):
                    means.train(coder.network)
            coder.save(means.progress)
        after, code = coder.result()
        changed = {path: _said(part, code.scales[path]) for path, part in plan.parts.items()}
        notes = (f"{plan.num_blocks} blocks of {plan.bits} bits",)
        made = compared(model, after, changed, left, notes)
        return Compressed(made.model, made.report, code)

    def _plan(self, model: keras.Model, seed: int) -> tuple[Plan, dict[str, str]]:
        check_whole("seed", seed, least=0, most=LARGEST_SEED)
        found, left = with_plain_kernels(model, self.layers)
        for path, layer in list(found.items()):
            why = _refusal(layer)
            if why:
                left[path] = why
                del found[path]
        groups = self._groups(found)
        layer_of, parts = {}, {}
        owner = {id(variable): path for path, layer in found.items() for variable in layer.weights}
        for path, variable in weights_of(model):
            if id(variable) in owner:
                layer_of[path] = owner[id(variable)]
                group = groups.get(layer_of[path], 1) if path.endswith("/kernel") else 1
                parts[path] = Part(int(np.prod(variable.shape)), group)
        num_blocks = self._num_blocks(parts, seed)
        return Plan(parts, layer_of, self.bits, num_blocks, seed, self.pace), left

    def _groups(self, layers: Mapping[str, Any]) -> dict[str, int]:
        groups: dict[str, int] = {}
        for pattern, group in self.hashing.items():
            for path in chosen(layers, (pattern,)):
                size = int(np.prod(layers[path].kernel.shape))
                check_whole("hashing", group, most=size, where=f" for {path}")
                groups.setdefault(path, group)
        return groups

    def _num_blocks(self, parts: Mapping[str, Part], seed: int) -> int:
        """Find the largest number of blocks that the bytes have room for."""
        num_normals = sum(part.num_normals for part in parts.values())
        if not 0 < num_normals <= MOST_NORMALS:
            raise ParameterError(
                f"model: received {num_normals} values to code, expected 1 to {MOST_NORMALS}; let "
                "weights of the largest kernels share values by hashing"
            )
        most = min(num_normals, 8 * self.num_bytes // self.bits, MOST_BLOCKS)
        groups = [part.group for part in parts.values()]
        needed = num_bytes(groups, seed, self.bits, 1)
        if self.num_bytes < needed:
            raise ParameterError(
                f"num_bytes: received {self.num_bytes}, expected at least {needed}: scales of "
                f"{len(groups)} kernels and biases and one block of {self.bits} bits"
            )
        while num_bytes(groups, seed, self.bits, most) > self.num_bytes:
            most -= 1
        return most


def _refusal(layer: Any) -> str:
    """Say why a layer is not coded, empty if it is."""
    if not layer.trainable:
        return "it is frozen, and codes need training"
    if any(variable.dtype != "float32" for variable in layer.weights):
        return "its weights are not float32"
    return ""


def _said(part: Part, scale: float) -> str:
    return f"{part.size} weights of {part.num_normals} normals, of scale {scale:.3g}"
