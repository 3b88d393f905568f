"""The networks of ``benchmarks/pruning_accuracy.py``: trained, pruned on both sides, trained on."""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from benchmarks import pruning_accuracy_keras as ours
from benchmarks.pruning import other_python
from benchmarks.pruning_accuracy_data import read
from benchmarks.pruning_accuracy_network import scaled
from benchmarks.pruning_accuracy_table import CONTROL, UNPRUNED
from slimderm.components.common.cache import content_key
from slimderm.components.evaluation.metrics import classification_metrics
from slimderm.components.model_graph.cost import multiply_accumulates

# Share of the multiply-accumulates, and what widths are multiples of. Eights, as torch-pruning
# recommends, but for the smallest: its rounding leaves a layer whole that would be left no eight.
BUDGETS = {1 / 2: 8, 1 / 4: 8, 1 / 8: 8, 1 / 32: 1}
MIDDLE = 1 / 4  # where candidates are compared
RATE, RATE_ON = 0.05, 0.02
BASE, ON, PILOT = range(3)  # phases of training: each has its own batches
CHECKED = 32  # test images on which frameworks are compared


class Way(NamedTuple):
    """One way to prune: whose, by which criterion, ranked over what."""

    side: str
    criterion: str
    scope: str

    @property
    def name(self) -> str:
        """Return what people call it."""
        return f"{self.side}: {self.criterion}, {self.scope}"


OURS, THEIRS = "SlimDerm", "Torch-Pruning"
CRITERIA = {OURS: ("l2", "taylor", "fisher"), THEIRS: ("magnitude", "taylor", "hessian")}
CANDIDATES = [
    Way(side, criterion, scope)
    for side, criteria in CRITERIA.items()
    for criterion in criteria
    for scope in ("global", "isomorphic")
]
RANDOM = Way(OURS, "random", "local")


class Study:
    """Trained and pruned networks, each found again where it is finished."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.seeds = options, range(options.seeds)
        said = {name: getattr(options, name) for name in ("size", "epochs", "more", "number")}
        key = content_key(**said, images=options.images, data=str(options.data.resolve()))
        self.folder = options.keep / key[:8]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "data.npz"
        if not self.file.exists():
            np.savez(self.file, **read(options.data, tuple(options.size), options.images))
        self.data = dict(np.load(self.file))
        self.evidence = list(
            zip(self.data["images_evidence"], self.data["labels_evidence"], strict=True)
        )
        self.deviation = 0.0

    def path(self, seed: int, what: str) -> Path:
        """Return where a seed's network lies."""
        return self.folder / f"{seed} {what}.npz"

    def load(self, seed: int, what: str) -> dict[str, Any]:
        """Read a seed's network, with its answers."""
        return dict(np.load(self.path(seed, what)))

    def in_torch(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Have PyTorch's side do jobs."""
        waiting = [job for job in jobs if not Path(job["out"]).exists()]
        if waiting:
            given = {"data": str(self.file), "threads": self.options.threads, "jobs": waiting}
            program = Path(__file__).with_name("pruning_accuracy_torch.py")
            command = [str(other_python()), str(program)]
            subprocess.run(command, input=json.dumps(given), text=True, check=True)

    def fit(self, seed: int, start: str | None, what: str, phase: int) -> dict[str, Any]:
        """Say what PyTorch's side is to train."""
        epochs = {BASE: self.options.epochs, ON: self.options.more, PILOT: 1}[phase]
        return {
            "do": "fit",
            "start": str(self.path(seed, start)) if start else None,
            "out": str(self.path(seed, what)),
            "epochs": epochs,
            "rate": RATE if phase == BASE else RATE_ON,
            "number": self.options.number,
            "seed": seed,
            "phase": phase,
        }

    def train(self) -> None:
        """Train each seed's network, and train it on: the control."""
        for seed in self.seeds:
            self.in_torch(
                [self.fit(seed, None, UNPRUNED, BASE), self.fit(seed, UNPRUNED, CONTROL, ON)]
            )

    def prune(self, ways: Iterable[Way], seeds: Iterable[int], shares: Iterable[float]) -> None:
        """Prune each seed's network in all ways, to all shares of its multiply-accumulates."""
        wanted = [(way, share) for way in ways for share in shares]
        for seed in seeds:
            base = self.carried(seed, UNPRUNED)
            missing = [each for each in wanted if not self.path(seed, start(*each)).exists()]
            for way, share in missing:
                if way.side == OURS:
                    self.prune_ours(base, seed, way, share)
            whole = multiply_accumulates(base)
            theirs = [each for each in missing if each[0].side == THEIRS]
            self.in_torch([self.job(seed, way, share, int(share * whole)) for way, share in theirs])

    def job(self, seed: int, way: Way, share: float, budget: int) -> dict[str, Any]:
        """Say what PyTorch's side is to prune."""
        return {
            "do": "prune",
            "start": str(self.path(seed, UNPRUNED)),
            "out": str(self.path(seed, start(way, share))),
            "budget": budget,
            "importance": way.criterion,
            "isomorphic": way.scope == "isomorphic",
            "round_to": BUDGETS[share],
        }

    def prune_ours(self, base: keras.Model, seed: int, way: Way, share: float) -> None:
        """Prune in Keras, and keep the weights with what that network answers."""
        budget = int(share * multiply_accumulates(base))
        how = {"criterion": way.criterion, "scope": way.scope, "seed": seed}
        how |= {"multiple": BUDGETS[share], "evidence": self.evidence}
        small = ours.pruned(base, budget, **how)
        answers = small.predict(self.checked, verbose=0)
        out = self.path(seed, start(way, share))
        np.savez(out, **ours.weights_of(small), logits_keras=answers)
        print(f"pruned {out.stem}", file=sys.stderr, flush=True)

    @property
    def checked(self) -> npt.NDArray[np.float32]:
        """The test images on which frameworks are compared."""
        return scaled(self.data["images_test"][:CHECKED])

    def carried(self, seed: int, what: str) -> keras.Model:
        """Carry a trained network to Keras, and check that it answers as in PyTorch."""
        found = self.load(seed, what)
        model = ours.carried(found, self.options.size)
        self.check(what, model.predict(self.checked, verbose=0), found["logits_test"])
        return model

    def check(self, what: str, answers: Any, expected: Any) -> None:
        """Refuse answers that differ, and note the largest difference."""
        self.deviation = max(self.deviation, ours.check_alike(what, answers, expected[:CHECKED]))

    def choose(self) -> dict[str, float]:
        """Judge all candidates on validation, after an epoch at the middle budget, best first."""
        self.prune(CANDIDATES, [0], [MIDDLE])
        self.in_torch(
            [self.fit(0, start(way, MIDDLE), f"pilot {way.name}", PILOT) for way in CANDIDATES]
        )
        labels = self.data["labels_validation"]
        found = {}
        for way in CANDIDATES:
            answers = softmax(self.load(0, f"pilot {way.name}")["logits_validation"], axis=1)
            found[way.name] = classification_metrics(labels, answers)["balanced_accuracy"]
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def train_on(self, ways: Sequence[Way]) -> None:
        """Train every pruned network on, and check that it was carried whole."""
        for seed in self.seeds:
            self.in_torch(
                [
                    self.fit(seed, start(way, share), network(way, share), ON)
                    for way in ways
                    for share in BUDGETS
                ]
            )
            for way in ways:
                for share in BUDGETS:
                    answers = self.load(seed, start(way, share)).get("logits_keras")
                    if answers is not None:
                        found = self.load(seed, network(way, share))["logits_before"]
                        self.check(network(way, share), answers, found)

    def exported(self, seed: int, what: str) -> Path:
        """Write a trained network as an ONNX file."""
        path = self.path(seed, what).with_suffix(".onnx")
        if not path.exists():
            made = ours.onnx(self.carried(seed, what))
            draft = path.with_suffix(".draft")
            draft.write_bytes(made)
            draft.replace(path)
            keras.backend.clear_session()
        return path


def start(way: Way, share: float) -> str:
    """Name a network that was pruned and not trained since."""
    return f"start {network(way, share)}"


def network(way: Way, share: float) -> str:
    """Name a network that was pruned and trained on."""
    return f"{way.name} {share:g}"
