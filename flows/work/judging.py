"""What is measured of a trained network on each part of the data, and kept beside it."""

from pathlib import Path
from typing import Any

import numpy as np

from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.base.files import write_json
from slimderm.flows.config.params import EvaluateSettings
from slimderm.flows.work.sources import ExampleSource

VALIDATION = "validation.npz"  # beside a model: what it predicts on the validation part


def judge_parts(
    draft: Path,
    model: Any,
    source: ExampleSource,
    settings: TrainingSettings,
    *,
    melanoma: int | None,
) -> dict[str, float]:
    """Measure a model on training, of equal classes, and on validation; keep `VALIDATION`.

    Returns
    -------
    dict
        ``train_accuracy``, ``validation_accuracy`` and the like.
    """
    from slimderm.components.evaluation.metrics import classification_metrics
    from slimderm.components.training.batches import as_trained
    from slimderm.components.training.prediction import predict
    from slimderm.components.training.sampling import equal_classes

    metrics: dict[str, float] = {}
    for part in ("train", "validation"):
        judged = source.examples[part]
        if part == "train":
            judged = as_trained(judged, settings.augment, seed=settings.seed)
            judged = equal_classes(judged, seed=settings.seed)
        probabilities = predict(model, judged)
        if part == "validation":
            kept = {"labels": judged.labels, "lesions": judged.lesions}
            np.savez(draft / VALIDATION, probabilities=probabilities, **kept)
        values = classification_metrics(judged.labels, probabilities, melanoma=melanoma)
        metrics |= {f"{part}_{name}": value for name, value in values.items()}
    return metrics


def permute_metadata(
    model: Any, source: ExampleSource, settings: EvaluateSettings
) -> list[dict[str, Any]]:
    """Measure what age, sex and site contribute on validation: a row a column."""
    from slimderm.components.inspection.permutation import permutation_importance
    from slimderm.components.training.metadata import COLUMNS

    table = permutation_importance(
        model,
        source.examples["validation"],
        COLUMNS,
        repeats=settings.permutations,
        seed=settings.seed,
    )
    rows: list[dict[str, Any]] = table.to_dict("records")
    return rows


def judge_test(
    draft: Path,
    model: Any,
    source: ExampleSource,
    settings: EvaluateSettings,
    *,
    melanoma: int | None,
) -> None:
    """Measure a model on the test part; write ``test.json`` and ``predictions.npz``."""
    from slimderm.components.evaluation.bootstrap import bootstrap_intervals
    from slimderm.components.evaluation.metrics import classification_metrics, confusion_matrix
    from slimderm.components.training.prediction import predict

    examples = source.examples["test"]
    probabilities = predict(model, examples)
    labels, lesions = examples.labels, examples.lesions
    values = classification_metrics(labels, probabilities, melanoma=melanoma)
    intervals = bootstrap_intervals(
        labels,
        probabilities,
        lesions,
        melanoma=melanoma,
        num_samples=settings.bootstrap_samples,
        confidence=settings.confidence,
        seed=settings.seed,
    )
    np.savez(draft / "predictions.npz", probabilities=probabilities, labels=labels, lesions=lesions)
    found = {
        "metrics": {f"test_{name}": value for name, value in values.items()},
        "intervals": {f"test_{name}": list(pair) for name, pair in intervals.items()},
        "confusion": confusion_matrix(labels, probabilities).tolist(),
        "classes": list(source.classes),
        "num_images": len(labels),
        "num_copies": examples.num_copies,
        "num_lesions": len(set(lesions)),
    }
    write_json(draft / "test.json", found)
