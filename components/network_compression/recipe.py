"""Several passes, one after the other; what is finished is found again.

::

    steps = (Step(Prune(ratio=0.5), 10), Step(ShareWeights(bits=4), 3))
    for made in compress(model, steps, train=train, cache="cache"):
        print(made.report)
    made.model.save("small.keras")
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import keras

from slimderm.components.common.cache import cached, content_key, place
from slimderm.components.common.checks import check_whole
from slimderm.components.common.errors import ParameterError
from slimderm.components.keras_support.seeding import seeded
from slimderm.components.model_graph.copies import config_of
from slimderm.components.network_compression.passes import (
    Batches,
    Compressed,
    Pass,
    Report,
)
from slimderm.components.network_compression.random_code import RandomCode

# Trains a model in place for a number of epochs.
Train = Callable[[keras.Model, int], None]
MODEL, REPORT, CODE = "model.keras", "report.json", "code.json"


@dataclass(frozen=True)
class Step:
    """A pass and the epochs of each training in it; 0 trains nothing."""

    made_by: Pass
    epochs: int = 0

    def __post_init__(self) -> None:
        check_whole("epochs", self.epochs, least=0)


def compress(
    model: keras.Model,
    steps: Sequence[Step],
    *,
    data: Batches | None = None,
    train: Train | None = None,
    seed: int = 0,
    cache: Path | str | None = None,
    trained_by: Any = None,
) -> Iterator[Compressed]:
    """Apply passes one after the other.

    Parameters
    ----------
    model : keras.Model
        Functional or sequential, built; it is not changed.
    steps : sequence of Step
        Passes that change shapes come first, then those that make zeros, then those that share
        values: each would undo what a later one did.
    data : iterable of (inputs, targets), optional
        Batches for passes that look at data.
    train : callable, optional
        Trains a model in place; needed where a step has epochs.
    seed : int
        Of what passes draw, and of each training's dropout and order.
    cache : path, optional
        A folder in which finished steps are found again, by the model, all steps so far, the seed
        and ``trained_by``.
    trained_by : JSON-able, optional
        Whatever else the result depends on: the training's settings, the data's hashes.

    Yields
    ------
    Compressed
        After each step.

    Raises
    ------
    ParameterError
        For no step, passes in another order, epochs without ``train``, or as a pass says.
    """
    _check(steps, train)
    batches = None if data is None else list(data)
    key = content_key(model=model_hash(model), seed=seed, trained_by=trained_by)
    for step in steps:
        key = content_key(parent=key, step=described(step))
        fine_tune = None
        if step.epochs:
            assert train is not None
            fine_tune = partial(_train, train, step.epochs, seed)
        apply = partial(step.made_by.apply, data=batches, fine_tune=fine_tune, seed=seed)
        made = apply(model) if cache is None else _found(cache, key, partial(apply, model))
        model = made.model
        yield made


def check_order(steps: Sequence[Step]) -> None:
    """Refuse passes of which one would undo what another did.

    Raises
    ------
    ParameterError
        Naming both.
    """
    for before, after in combinations(steps, 2):
        if after.made_by.undoes(before.made_by):
            raise ParameterError(
                f"steps: received {_name(after)} after {_name(before)}, expected it before, or one "
                f"of the two: it changes weights that {_name(before)} has set"
            )


def _check(steps: Sequence[Step], train: Train | None) -> None:
    if not steps:
        raise ParameterError("steps: received none, expected at least one pass")
    check_order(steps)
    if train is None and any(step.epochs for step in steps):
        raise ParameterError("train: received none, expected a callable for steps with epochs")


def _name(step: Step) -> str:
    return type(step.made_by).__name__


def _train(train: Train, epochs: int, seed: int, model: keras.Model) -> None:
    with seeded(seed):
        train(model, epochs)


def described(step: Step) -> dict[str, Any]:
    """Return a step as JSON-able values, its settings included."""
    settings: Any = step.made_by
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    for name, value in values.items():
        if isinstance(value, keras.Model):
            values[name] = model_hash(value)
        elif is_dataclass(value) and not isinstance(value, type):
            values[name] = asdict(value)
    return {"pass": _name(step), "settings": values, "epochs": step.epochs}


def model_hash(model: keras.Model) -> str:
    """Hash a model's config and weights to 64 hexadecimal digits."""
    digest = hashlib.sha256(json.dumps(config_of(model), sort_keys=True, default=str).encode())
    for weight in model.weights:
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return digest.hexdigest()


def _found(cache: Path | str, key: str, apply: Callable[..., Compressed]) -> Compressed:
    progress = place(cache, content_key(progress_of=key))

    def produce(folder: Path) -> None:
        made = apply(progress=progress)
        made.model.save(folder / MODEL)
        (folder / REPORT).write_text(json.dumps(asdict(made.report)))
        keep_code(folder, made.code)

    folder = cached(cache, key, produce)
    shutil.rmtree(progress, ignore_errors=True)
    found = json.loads((folder / REPORT).read_text())
    for name in ("parameters", "multiply_accumulates", "notes"):
        found[name] = found[name] and tuple(found[name])
    model = keras.models.load_model(folder / MODEL, compile=False)
    return Compressed(model, Report(**found), kept_code(folder))


def keep_code(folder: Path, code: RandomCode | None) -> None:
    """Write what a pass gave beside a model into a folder, where it gave something."""
    if code is not None:
        (folder / CODE).write_text(json.dumps(asdict(code)))


def kept_code(folder: Path) -> RandomCode | None:
    """Read what `keep_code` wrote, None where there was nothing."""
    if not (folder / CODE).exists():
        return None
    written = json.loads((folder / CODE).read_text())
    return RandomCode(**written | {"indices": tuple(written["indices"])})
