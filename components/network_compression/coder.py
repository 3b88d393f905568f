"""Code a network block by block: train its distributions, choose samples, train what is left."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError
from slimderm.components.network_compression.random_code import (
    Blocks,
    Part,
    RandomCode,
    decode,
    signs_of,
)
from slimderm.components.network_compression.reparametrised import baked, reparametrised
from slimderm.components.network_compression.slim_weights import weights_of
from slimderm.components.network_compression.variational import Posterior, Rate, VariationalKernel

CHUNK = 1 << 14  # samples of a block that are drawn at once
STATE = "state.npz"
SCALES = 2.0**-14, 2.0**15  # what a float16 holds without loss


@dataclass(frozen=True)
class Plan:
    """What is coded, and with how many bits.

    Attributes
    ----------
    parts : mapping
        Path of each kernel and bias, in the order of the model's weights.
    layer_of : mapping
        The same paths to the path of the layer.
    bits, num_blocks, seed : int
    pace : float
        What a penalty is multiplied with, or divided by, in a step.
    """

    parts: Mapping[str, Part]
    layer_of: Mapping[str, str]
    bits: int
    num_blocks: int
    seed: int
    pace: float


class Coder:
    """A network under way to a code.

    Attributes
    ----------
    network : keras.Model
        To be trained.
    done : int
        How many steps were kept.
    """

    def __init__(self, model: keras.Model, plan: Plan) -> None:
        self.model, self.plan = model, plan
        num_normals = sum(part.num_normals for part in plan.parts.values())
        self.blocks = Blocks(plan.seed, plan.bits, num_normals, plan.num_blocks)
        self.indices = np.zeros(plan.num_blocks, np.int64)
        self.done = 0
        weights = dict(weights_of(model))
        self.posteriors = {
            path: Posterior(keras.ops.convert_to_numpy(weights[path]), part, signs)
            for (path, part), signs in zip(
                plan.parts.items(), signs_of(plan.seed, plan.parts), strict=True
            )
        }
        self.rate = Rate(self.posteriors, self.blocks, plan.pace)
        self.network = reparametrised(model, self._kernels())

    def _kernels(self) -> dict[str, VariationalKernel]:
        of_layer: dict[str, dict[str, Posterior]] = {}
        for path, posterior in self.posteriors.items():
            name = path.rpartition("/")[2]
            of_layer.setdefault(self.plan.layer_of[path], {})[name] = posterior
        seeds = np.random.default_rng(self.plan.seed).integers(2**31, size=len(of_layer))
        kernels = {
            path: VariationalKernel(own, self.rate, int(seed))
            for (path, own), seed in zip(of_layer.items(), seeds, strict=True)
        }
        self.rate.owner = next(iter(kernels.values()))
        return kernels

    def bits(self) -> npt.NDArray[np.float64]:
        """Return the divergence of each block from the prior, in bits."""
        found: npt.NDArray[np.float64] = _read(self.rate.divergences()).astype(float) / np.log(2)
        return found

    def scales(self) -> dict[str, float]:
        """Return the prior's scales as they are written."""
        learned = {path: np.exp(_read(each.log_scale)) for path, each in self.posteriors.items()}
        return {path: float(np.float16(np.clip(each, *SCALES))) for path, each in learned.items()}

    def settle_scales(self) -> None:
        """Train with the scales as they are written, from now on."""
        for path, scale in self.scales().items():
            self.posteriors[path].log_scale.assign(np.log(scale))
            self.posteriors[path].log_scale.trainable = False

    def code(self, chosen: npt.NDArray[np.intp]) -> None:
        """Choose the samples of some blocks, and fix their weights to them."""
        means, sigmas, coded, is_coded = (
            np.concatenate([_read(getattr(each, name)) for each in self.posteriors.values()])
            for name in ("mean", "log_sigma", "coded", "is_coded")
        )
        sizes = [part.num_normals for part in self.plan.parts.values()]
        scales = np.repeat(list(self.scales().values()), sizes).astype(np.float32)
        for block in chosen.tolist():
            own = self.blocks.members(block)
            scale = scales[own]
            index = choose(
                self.blocks,
                block,
                means[own] / scale,
                np.exp(sigmas[own]) / scale,
                np.random.default_rng([self.plan.seed, block]),
            )
            self.indices[block] = index
            coded[own] = scale * self.blocks.samples(block, index, 1)[0, : own.size]
            is_coded[own] = 1
        ends = np.cumsum(sizes)[:-1]
        for name, values in (("coded", coded), ("is_coded", is_coded)):
            for each, part in zip(self.posteriors.values(), np.split(values, ends), strict=True):
                getattr(each, name).assign(part)
        penalties = _read(self.rate.penalties)
        penalties[chosen] = 0
        self.rate.penalties.assign(penalties)

    def result(self) -> tuple[keras.Model, RandomCode]:
        """Return a plain model and the code of its weights."""
        groups = {path: part.group for path, part in self.plan.parts.items()}
        code = RandomCode(
            self.plan.seed, self.plan.bits, tuple(self.indices.tolist()), groups, self.scales()
        )
        plain = baked(self.network, self.model)
        weights = dict(weights_of(plain))
        values = decode(code, {path: part.size for path, part in self.plan.parts.items()})
        for path, each in values.items():
            weights[path].assign(each.reshape(weights[path].shape))
        return plain, code

    def save(self, folder: Path | None) -> None:
        """Count a step as done; keep it, where there is a folder."""
        self.done += 1
        if folder is None:
            return
        folder.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            f"variable{n}": _read(each) for n, each in enumerate(self.network.variables)
        }
        draft = folder / f".{STATE}.{os.getpid()}.draft"
        with draft.open("wb") as stream:
            np.savez(stream, **values, done=self.done, indices=self.indices)
        draft.replace(folder / STATE)

    def load(self, folder: Path | None) -> None:
        """Go on from what was kept, if anything was.

        Raises
        ------
        ParameterError
            If it is of another network or other settings.
        """
        if folder is None or not (folder / STATE).exists():
            return
        with np.load(folder / STATE) as state:
            kept = [state[f"variable{n}"] for n in range(len(state) - 2)]
            done, indices = int(state["done"]), state["indices"]
        variables = self.network.variables
        if [each.shape for each in kept] != [tuple(each.shape) for each in variables]:
            raise ParameterError(
                f"progress: received {folder}, which holds a network of other weights, expected "
                "the folder of the same call or an empty one"
            )
        for variable, values in zip(variables, kept, strict=True):
            variable.assign(values)
        self.done, self.indices = done, indices


def _read(variable: Any) -> npt.NDArray[Any]:
    return np.array(keras.ops.convert_to_numpy(variable))


def choose(
    blocks: Blocks,
    block: int,
    means: npt.NDArray[Any],
    sigmas: npt.NDArray[Any],
    generator: np.random.Generator,
) -> int:
    """Draw one of a block's samples z in proportion to q(z) / p(z).

    Parameters
    ----------
    blocks : Blocks
    block : int
    means, sigmas : arrays of shape (columns,)
        Of q, in units of the prior's scale: p is the standard normal.
    generator : numpy.random.Generator
        Only who codes draws from it.

    Returns
    -------
    int
        The number of the sample, below 2ᵇⁱᵗˢ.
    """
    precision = np.asarray(sigmas, float) ** -2
    square, linear = (1 - precision) / 2, precision * means
    best, index = -np.inf, 0
    for first in range(0, 1 << blocks.bits, CHUNK):
        count = min(CHUNK, (1 << blocks.bits) - first)
        z = blocks.samples(block, first, count)[:, : len(means)].astype(float)
        # The largest of log-weights with Gumbel noise is drawn in proportion to the weights.
        noisy = z**2 @ square + z @ linear + generator.gumbel(size=count)
        if noisy.max() > best:
            best, index = float(noisy.max()), first + int(noisy.argmax())
    return index
