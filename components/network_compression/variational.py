"""Weights trained as normal distributions, whose divergence from a prior is held at so many bits.

Each normal of a random code has a mean and a standard deviation of its own, each kernel and bias a
scale of the prior. A layer computes with a draw of them while it is trained, with the means
otherwise, and with what is coded once its block is. Each block has a penalty β on its
Kullback-Leibler divergence, which grows a little each step where that is above the goal and shrinks
where it is below.

Havasi et al., arXiv:1810.00440, section 3.3. Upstream: whether a layer is called for training is
read from the call's context, as ``Layer.__call__`` does in ``keras/src/layers/layer.py`` (3.15).
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops
from keras.src.backend.common import global_state

from slimderm.components.network_compression.random_code import Blocks, Part
from slimderm.components.network_compression.random_words import Normals
from slimderm.components.network_compression.reparametrised import Kernel

START_LOG_SIGMA = -6.0
START_PENALTY = LEAST_PENALTY = 1e-8
SMALLEST_SCALE = 1e-2  # to begin with: biases are zero


def _training() -> bool:
    context = global_state.get_global_attribute("current_call_ctx")
    return bool(context is not None and context.get_value("training"))


class Posterior:
    """The distributions of one kernel or bias; see the module."""

    def __init__(self, weights: npt.NDArray[Any], part: Part, signs: Normals | None) -> None:
        self.shape, self.part = weights.shape, part
        self.signs: Normals | None = None  # (num_normals, group), zeros behind the last
        if signs is not None:
            missing = part.num_normals * part.group - part.size
            self.signs = np.pad(signs, (0, missing)).reshape(-1, part.group)
        self.start = _grouped(weights.reshape(-1), part, signs)

    def build(self, layer: Any, name: str) -> None:
        """Add to a layer what is trained."""

        def add(name_of: str, start: Any, **options: Any) -> Any:
            return layer.add_weight(
                shape=np.shape(start),
                initializer=lambda shape, dtype=None: ops.cast(start, dtype),
                dtype="float32",
                autocast=False,
                name=f"{name}_{name_of}",
                **options,
            )

        self.mean = add("mean", self.start)
        self.log_sigma = add("log_sigma", np.full(self.start.shape, START_LOG_SIGMA))
        scale = max(float(np.sqrt(np.mean(self.start**2))), SMALLEST_SCALE)
        self.log_scale = add("log_scale", np.log(scale))
        self.coded = add("coded", np.zeros(self.start.shape), trainable=False)
        self.is_coded = add("is_coded", np.zeros(self.start.shape), trainable=False)

    def divergence(self) -> Any:
        """Return KL(q‖p) of each normal, in nats."""
        log_ratio = self.log_sigma - self.log_scale
        relative = ops.exp(2 * log_ratio) + ops.square(self.mean * ops.exp(-self.log_scale))
        return 0.5 * (relative - 1) - log_ratio

    def value(self, seed: Any) -> Any:
        """Return weights: drawn, for training, or the means."""
        normals = ops.convert_to_tensor(self.mean)
        if _training():
            noise = keras.random.normal(normals.shape, dtype="float32", seed=seed)
            normals = normals + ops.exp(self.log_sigma) * noise
        coded = ops.convert_to_tensor(self.coded)  # JAX takes no variable for one here
        normals = ops.where(self.is_coded > 0, coded, normals)
        if self.signs is not None:
            signs = ops.convert_to_tensor(self.signs)  # PyTorch multiplies by no array of NumPy's
            normals = ops.reshape(normals[:, None] * signs, (-1,))[: self.part.size]
        return ops.reshape(normals, self.shape)


def _grouped(weights: npt.NDArray[Any], part: Part, signs: Normals | None) -> npt.NDArray[Any]:
    """Start normals so that the kernel made of them varies as much as the trained one."""
    if signs is None:
        return weights
    places = np.arange(part.size) // part.group
    sums = np.bincount(places, weights * signs, part.num_normals)
    return sums / np.sqrt(np.bincount(places, minlength=part.num_normals))


class VariationalKernel(Kernel):
    """A kernel, and a bias, drawn from posteriors; the first of a network's holds the penalties."""

    def __init__(self, posteriors: Mapping[str, Posterior], rate: "Rate", seed: int) -> None:
        self.posteriors, self.rate, self.seed = posteriors, rate, seed

    def build(self, layer: Any) -> None:
        """Add distributions, and the generator of what is drawn."""
        layer.drawn_by = keras.random.SeedGenerator(self.seed)
        for name, posterior in self.posteriors.items():
            vars(layer)[{"kernel": "_kernel"}.get(name, name)].trainable = False
            posterior.build(layer, name)
        if self.rate.owner is self:
            self.rate.build(layer)

    def value(self, layer: Any) -> Any:
        """Return the kernel."""
        if self.rate.owner is self and _training():
            self.rate.update()
        return self.posteriors["kernel"].value(layer.drawn_by)

    def bias(self, layer: Any) -> Any:
        """Return the bias."""
        return self.posteriors["bias"].value(layer.drawn_by)


class Rate:
    """Holds the divergence of each block of a network at a number of bits.

    Attributes
    ----------
    owner : VariationalKernel
        Of the layer that has the penalties among its weights.
    """

    owner: VariationalKernel

    def __init__(self, posteriors: Mapping[str, Posterior], blocks: Blocks, pace: float) -> None:
        self.posteriors, self.num_blocks, self.pace = posteriors, blocks.num_blocks, pace
        self.goal = blocks.bits * np.log(2)
        self.blocks = blocks.block.astype(np.int32)

    def build(self, layer: Any) -> None:
        """Add the penalties, and the loss that they make, to a layer."""
        self.penalties = layer.add_weight(
            shape=(self.num_blocks,),
            initializer=keras.initializers.Constant(START_PENALTY),
            trainable=False,
            dtype="float32",
            autocast=False,
            name="penalties",
        )
        # Keras takes a regularizer's loss once a step, however often the layer is called.
        self.owner.posteriors["kernel"].mean.regularizer = lambda _: self.loss()

    def divergences(self) -> Any:
        """Return the divergence of each block, in nats."""
        each = ops.concatenate([posterior.divergence() for posterior in self.posteriors.values()])
        return ops.segment_sum(each, self.blocks, self.num_blocks)

    def loss(self) -> Any:
        """Return what is added to the loss."""
        return ops.sum(self.penalties * self.divergences())

    def update(self) -> None:
        """Move the penalties by a step; that of a coded block is zero and stays so."""
        now = ops.convert_to_tensor(self.penalties)
        above = ops.stop_gradient(self.divergences()) > self.goal
        moved = ops.maximum(ops.where(above, now * self.pace, now / self.pace), LEAST_PENALTY)
        self.penalties.assign(ops.where(now > 0, moved, now))
