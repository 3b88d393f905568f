"""The gallery: ten networks of different kinds before and after, and the lines that prune them.

    make setup && python benchmarks/gallery.py [--page docs/gallery.md] [--repeats 15]

Each network has random weights and statistics of normalisation, and loses half of its channels.
The table between the page's two comments, the lines and the picture beside it are written anew.
Bytes are those of the ``.keras`` file. Milliseconds are of the processor, for one input on one
thread through `predict_on_batch`, the median; both networks take turns. The proof's deviation is
the largest difference of an output from what the surgery promises, relative to the outputs'
standard deviation. A few minutes.

The last line is one JSON object: for each network ``parameters``, ``multiply_accumulates``,
``bytes`` and ``ms``, each before and after, and ``deviation``.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import matplotlib
import numpy as np
import tensorflow as tf

from slimderm import verify
from slimderm.components.pruning.proof import randomise

matplotlib.use("Agg")
from matplotlib import pyplot

ROOT = Path(__file__).resolve().parents[1]
APPLICATION = "keras.applications.{}(weights=None, classifier_activation=None)"
HALF, MOVING = "prune(model, ratio=0.5)", "prune(model, ratio=0.5, moving_statistics=True)"


@dataclass(frozen=True)
class Picture:
    """One network of the gallery: what it is, the expressions that build it and that prune it."""

    name: str
    kind: str
    build: str
    prune: str = HALF


GALLERY = (
    Picture("ResNet50", "images to classes, skips", APPLICATION.format("ResNet50")),
    Picture("MobileNetV2", "images to classes, depthwise", APPLICATION.format("MobileNetV2")),
    Picture("ConvNeXtTiny", "images to classes", APPLICATION.format("ConvNeXtTiny"), MOVING),
    Picture("ViT-Ti/16", "images to classes, attention", "vit(224, width=192, heads=3)", MOVING),
    Picture("YOLOv8n's style", "detector, splits and joins", "detector()"),
    Picture("U-Net", "segmentation, joined skips", "u_net()"),
    Picture("BiLSTM", "text to classes", "text_classifier()"),
    Picture("DCGAN", "noise to pictures", "generator()"),
    Picture("Conv1D and GRU", "sound to keywords", "keyword_spotter()"),
    Picture("Autoencoder", "pictures to a code and back", "autoencoder()"),
)
MEASURES = {
    "parameters": "parameters",
    "multiply_accumulates": "multiply-accumulates",
    "bytes": "file",
    "ms": "ms",
}
IMPORTS = (
    "import keras",
    "",
    "from benchmarks.gallery_models import autoencoder, detector, generator, keyword_spotter",
    "from benchmarks.gallery_models import text_classifier, u_net",
    "from benchmarks.pruning_models import vit",
    "from slimderm import prune",
)
BARS = {"bytes": "bytes of the file", "ms": "time of one input"}


def file_bytes(model: keras.Model) -> int:
    """Count the bytes of a model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.stat().st_size


def milliseconds(models: list[keras.Model], repeats: int) -> list[float]:
    """Median milliseconds of the processor that each model takes for one input, in turns."""
    given = [np.zeros((1, *each.input.shape[1:]), each.input.dtype) for each in models]
    times: list[list[float]] = [[] for _ in models]
    for turn in range(3 + repeats):
        for model, inputs, taken in zip(models, given, times, strict=True):
            started = time.process_time()
            model.predict_on_batch(inputs)
            if turn >= 3:
                taken.append(1000 * (time.process_time() - started))
    return [float(np.median(taken)) for taken in times]


def measured(picture: Picture, repeats: int) -> dict[str, Any]:
    """Build, prune and measure one network."""
    keras.utils.set_random_seed(0)
    names: dict[str, Any] = {}
    exec("\n".join(IMPORTS), names)
    names["model"] = model = eval(picture.build, names)
    randomise(model, seed=0)
    pruned = eval(picture.prune, names)
    return {
        "parameters": list(pruned.report.parameters),
        "multiply_accumulates": list(pruned.report.multiply_accumulates),
        "bytes": [file_bytes(each) for each in (model, pruned.model)],
        "ms": milliseconds([model, pruned.model], repeats),
        "deviation": verify(model, pruned),
    }


def said(measure: str, before: float, after: float) -> str:
    """Write a measure before and after."""
    if measure == "ms":
        return f"{before:.1f} → {after:.1f}"
    unit = 1e9 if measure == "multiply_accumulates" else 1e6
    return f"{before / unit:.3g} → {after / unit:.3g} {'G' if unit == 1e9 else 'M'}"


def table(found: dict[str, dict[str, Any]]) -> str:
    """Write the table, and the lines that prune each network, in Markdown."""
    heads = ["network", "what it is", *MEASURES.values(), "deviation"]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * (len(heads) - 2)}"]
    code = [*IMPORTS, ""]
    for picture in GALLERY:
        if picture.name not in found:
            continue
        row = found[picture.name]
        cells = [said(measure, *row[measure]) for measure in MEASURES]
        cells.append(f"{row['deviation']:.1e}")
        lines.append(f"| {picture.name} | {picture.kind} | {' | '.join(cells)} |")
        code += [f"# {picture.name}", f"model = {picture.build}", f"pruned = {picture.prune}", ""]
    return "\n".join([*lines, "", "```python", *code[:-1], "```"])


def draw(found: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw what is left of each measure, a bar each."""
    figure, axes = pyplot.subplots(figsize=(8, 0.55 * len(found) + 1.2), layout="constrained")
    names, height = list(found), 0.8 / len(MEASURES)
    for place, (measure, title) in enumerate(MEASURES.items()):
        left = [100 * found[name][measure][1] / found[name][measure][0] for name in names]
        rows = [row + place * height for row in range(len(names))]
        axes.barh(rows, left, height, label=BARS.get(measure, title))
    axes.set_yticks([row + 1.5 * height for row in range(len(names))], names)
    axes.invert_yaxis()
    axes.set(xlabel="left after half of the channels have gone, %", xlim=(0, 110))
    axes.axvline(100, color="black", linewidth=0.8)
    axes.legend(loc="upper right")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def write(found: dict[str, dict[str, Any]], page: Path) -> None:
    """Write the page's table and lines, and the picture."""
    begin, end = "<!-- table -->\n", "\n<!-- end of table -->"
    text, new = page.read_text(), begin + table(found) + end
    page.write_text(re.sub(f"{begin}.*?{end}", lambda _: new, text, flags=re.DOTALL))
    draw(found, page.parent / "images/gallery.png")


def main() -> None:
    """Measure all, write the page's table and picture, print one JSON object."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--page", type=Path, default=ROOT / "docs/gallery.md")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--only", nargs="+", default=[picture.name for picture in GALLERY])
    given = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    found = {}
    for picture in GALLERY:
        if picture.name in given.only:
            found[picture.name] = measured(picture, given.repeats)
            print(picture.name, found[picture.name], file=sys.stderr, flush=True)
            keras.backend.clear_session()
    write(found, given.page)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
