"""Accuracy against latency on HAM10000: our pruner beside torch-pruning, on one network.

::

    make setup && python benchmarks/pruning_accuracy.py DATA [--seeds 3] [--picture FILE]

DATA is a dataset in HAM10000's layout. It is split by lesion, 60/10/30 to train, validation and
test (``pruning_accuracy_data.py``). A small residual network (``pruning_accuracy_network.py``) is
trained for ``--epochs``. Its very weights are carried from PyTorch to Keras, pruned there by our
pruner and carried back, or pruned in PyTorch by torch-pruning, until no more than each of BUDGETS
is left of its multiply-accumulates. Every network is then trained on for ``--more`` epochs, by the
same PyTorch code on the same batches; so is the unpruned one, which is the control. Epochs have
equally many images of each class, and flips.

Each side has six ways to prune: criteria of magnitude, first and second order, ranked globally or
like with like. Those with the best balanced accuracy on validation, of seed 0, at a quarter left
and after one epoch, are shown: ``--ways`` of each side. Beside them stands a random choice. Widths
are multiples of eight on both sides, as torch-pruning recommends, but at the smallest budget.

Latency is ONNX Runtime's, of one image on one thread: all networks are exported by the same
exporter and take turns in one process; the median, then the mean over seeds. Balanced accuracy is
of the test part, its intervals (95 %) resample lesions and seeds. Verdicts are those of the paired
difference at a margin of MARGIN, each comparison by itself.

PyTorch and torch-pruning are installed once, as for ``benchmarks/pruning.py``. What is finished is
kept in ``--keep`` and not done again. Over an hour on one core.

A table comes first. The last line is one JSON object: ``images`` and ``lesions`` of each part,
``seeds``, ``deviation`` (the largest difference of an answer between Keras, PyTorch and ONNX, by
the answers' spread), ``pilot`` (way to balanced accuracy on validation), ``rows``, and
``ours_minus_theirs``, the best way of each side at each budget.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from benchmarks.pruning_accuracy_picture import picture
from benchmarks.pruning_accuracy_study import (
    BUDGETS,
    CANDIDATES,
    OURS,
    RANDOM,
    THEIRS,
    Study,
    Way,
    network,
)
from benchmarks.pruning_accuracy_table import CONTROL, UNPRUNED, Entry, Judge, show
from benchmarks.pruning_timing import alternate
from slimderm.components.export.run_onnx import load as load_onnx
from slimderm.components.model_graph.cost import multiply_accumulates

ROOT = Path(__file__).resolve().parents[1]
THREADS = 1  # of ONNX Runtime


def latencies(study: Study, whats: Sequence[str]) -> dict[str, list[float]]:
    """Run all files in turn, in this process; return milliseconds of each seed's network."""
    image = {"image": study.checked[:1]}
    calls = {}
    for what in whats:
        for seed in study.seeds:
            run = load_onnx(str(study.exported(seed, what)), THREADS)
            answers = np.concatenate([run({"image": each[None]}) for each in study.checked])
            study.check(what, answers, softmax(study.load(seed, what)["logits_test"], axis=1))
            calls[f"{seed} {what}"] = lambda run=run: run(image)
    file = study.folder / "latencies.json"
    known: dict[str, float] = json.loads(file.read_text()) if file.exists() else {}
    if known.keys() != calls.keys():  # what takes turns is measured together
        known = alternate(calls, study.options.seconds)
        file.write_text(json.dumps(known))
    return {what: [1000 * known[f"{seed} {what}"] for seed in study.seeds] for what in whats}


def entries(study: Study, ways: Sequence[Way]) -> list[Entry]:
    """Gather all networks: answers on test, sizes, latency."""
    what_of = {UNPRUNED: ("unpruned", UNPRUNED, 1.0), CONTROL: ("unpruned", CONTROL, 1.0)}
    for way in ways:
        of_way = f"{way.criterion}, {way.scope}" if way != RANDOM else "random"
        what_of |= {network(way, share): (way.side, of_way, share) for share in BUDGETS}
    ms = latencies(study, list(what_of))
    found = []
    for what, (side, way, share) in what_of.items():
        models = [study.carried(seed, what) for seed in study.seeds]
        answers = [softmax(study.load(seed, what)["logits_test"], axis=1) for seed in study.seeds]
        counts = [
            float(np.mean(list(map(count, models)))) for count in (trainable, multiply_accumulates)
        ]
        found.append(Entry(side, way, share, np.stack(answers), *counts, float(np.mean(ms[what]))))
    return found


def trainable(model: keras.Model) -> int:
    """Count what PyTorch calls parameters: no moving statistics."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def chosen(pilot: dict[str, float], number: int) -> list[Way]:
    """Take the best ways of each side."""
    ranked = sorted(CANDIDATES, key=lambda way: -pilot[way.name])
    return [
        way for side in (OURS, THEIRS) for way in [w for w in ranked if w.side == side][:number]
    ]


def main() -> None:
    """Do everything that is not done yet, then print the table and one line of JSON."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--more", type=int, default=5, help="epochs after pruning")
    parser.add_argument("--number", type=int, default=4032, help="images of an epoch")
    parser.add_argument("--size", type=int, nargs=2, default=(60, 80), help="height, width")
    parser.add_argument("--ways", type=int, default=2, help="of each side")
    parser.add_argument("--images", type=int, help="of each class, for a quick look")
    parser.add_argument("--seconds", type=float, default=5.0, help="of timing for each network")
    parser.add_argument("--threads", type=int, default=1, help="of training")
    parser.add_argument("--keep", type=Path, default=ROOT / ".cache/pruning-accuracy")
    parser.add_argument("--picture", type=Path, help="a PNG to write")
    options = parser.parse_args()
    study = Study(options)
    study.train()
    pilot = study.choose()
    best = chosen(pilot, options.ways)
    ways = [*best, RANDOM]
    study.prune(ways, study.seeds, BUDGETS)
    study.train_on(ways)
    judge = Judge(study.data["labels_test"], study.data["lesions_test"])
    found = entries(study, ways)
    rows = judge.rows(found)
    pairs = judge.ours_minus_theirs(found, (OURS, THEIRS))
    show(rows, pairs)
    if options.picture:
        picture(rows, options.picture)
    counts = {
        what: {part: count(study.data[f"{of}_{part}"]) for part in ("train", "validation", "test")}
        for what, of, count in (("images", "labels", len), ("lesions", "lesions", distinct))
    }
    said = {"seeds": options.seeds, "deviation": study.deviation, "pilot": pilot}
    print(json.dumps(counts | said | {"rows": rows, "ours_minus_theirs": pairs}))


def distinct(names: npt.NDArray[np.str_]) -> int:
    """Count different names."""
    return len(np.unique(names))


if __name__ == "__main__":
    main()
