"""Compare the features that the pruned networks of one study learn."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimderm.components.pruning.study_settings import UNPRUNED
from slimderm.components.reporting.layer_similarity import feature_rows, heat_maps
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.work.training_run import TrainingRun

BATCH, NUM_BATCHES = 32, 4
SHOWN = 5  # filters and maps a network


def compare(
    folder: Path, arm: str, ratio: float, trained: Mapping[str, TrainingRun], examples: Any
) -> pd.DataFrame:
    """Compare networks pairwise, layer by layer, and draw their features.

    Writes ``cka_<arm>_<percent>.png`` and ``features_<arm>_<percent>.png``.

    Parameters
    ----------
    folder : Path
        Gets the figures.
    arm : str
        How the networks were pruned.
    ratio : float
        Share of their channels or weights that were pruned.
    trained : mapping
        ``unpruned`` and each schedule to its network.
    examples : Examples
        The test part; its first images are looked at.

    Returns
    -------
    DataFrame
        ``arm``, ``ratio``, ``one``, ``other``, ``first``, ``second`` (layers), ``cka``.
    """
    load_keras()
    from slimderm.components.inspection.similarity import layer_similarities

    models = {name: found.load() for name, found in trained.items()}
    rows, panels = [], {}
    pairs = layer_similarities(models, _batches(models[UNPRUNED], examples))
    for (one, other), found in pairs.items():
        values = pd.DataFrame(found.values, list(found.first), list(found.second))
        panels[f"{_spoken(one)}, {_spoken(other)}"] = values
        rows.append(found.frame().assign(arm=arm, ratio=ratio, one=one, other=other))
    percent = f"{100 * ratio:g}"
    name = f"{arm.replace(' ', '_')}_{percent}"
    title = f"similarity of layers: {arm}, {percent}% pruned"
    heat_maps(panels, title=title).savefig(folder / f"cka_{name}.png", dpi=130)
    title = f"a test image, Grad-CAM and the first convolution: {arm}, {percent}% pruned"
    _draw(models, examples, title).savefig(folder / f"features_{name}.png", dpi=150)
    return pd.concat(rows)[["arm", "ratio", "one", "other", "first", "second", "cka"]]


def same_place(similarity: pd.DataFrame) -> pd.DataFrame:
    """Average CKA over layers of the same name: one number a pair of networks."""
    same = similarity[similarity["first"] == similarity["second"]]
    return same.groupby(["arm", "ratio", "one", "other"], sort=False)["cka"].mean().reset_index()


def _inputs(model: Any, examples: Any, span: slice) -> dict[str, np.ndarray]:
    given = {"image": examples.images[span].astype(np.float32), "metadata": examples.metadata[span]}
    return {tensor.name: given[tensor.name] for tensor in model.inputs}


def _batches(model: Any, examples: Any) -> Iterator[dict[str, np.ndarray]]:
    from slimderm.components.inspection.similarity import FEWEST

    for start in range(0, min(len(examples), BATCH * NUM_BATCHES) - FEWEST + 1, BATCH):
        yield _inputs(model, examples, slice(start, start + BATCH))


def _spoken(name: str) -> str:
    return name.replace("_", "-")


def _draw(models: Mapping[str, Any], examples: Any, title: str) -> Any:
    from slimderm.components.inspection.features import activation_maps, filter_images
    from slimderm.components.inspection.grad_cam import grad_cam

    rows = {}
    for name, model in models.items():
        convolutions = [layer.name for layer in model.layers if _is_convolution(layer)]
        inputs = _inputs(model, examples, slice(0, 1))
        label = int(examples.labels[0])
        rows[_spoken(name)] = (
            grad_cam(model, inputs, class_index=label)[0],
            activation_maps(model, inputs, convolutions[0], max_maps=SHOWN),
            filter_images(model, convolutions[0], max_filters=SHOWN),
        )
    return feature_rows(examples.images[0], rows, title=title)


def _is_convolution(layer: Any) -> bool:
    kernel = getattr(layer, "kernel", None)
    return kernel is not None and len(kernel.shape) == 4
