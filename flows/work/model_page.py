"""What MLflow's pages of the registered model say: facts of each version, who has which alias."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from slimderm.components.evaluation.bootstrap import bootstrap_intervals
from slimderm.components.reporting.version_facts import accuracy_fact, headline
from slimderm.flows.config.params import EvaluateSettings
from slimderm.flows.config.registry_policy import ROLES
from slimderm.flows.record.registry import Registry

# As `slimderm.flows.work.judging` calls it, which imports all that trains.
ANSWERS = "validation.npz"
ABOUT = (
    "Classifies a dermatoscopic image with age, sex and site. **Not a medical device.** Each "
    "version is one accepted network. Its description and tags say which gates it passed, its "
    "balanced accuracy with interval, its parameters, and bytes and latency of the Keras file and "
    "of the file that is shipped. The champion is served; the challenger is to be judged. How to "
    "promote: docs/promotion.md."
)


def version_facts(
    record: Mapping[str, Any], folder: Path, settings: EvaluateSettings
) -> dict[str, str]:
    """Return the tags that say how good and how large a version is that nobody has judged yet.

    Parameters
    ----------
    record : mapping
        Of a finished training, as its ``record.json`` holds it.
    folder : Path
        Holds what it predicts on validation.
    settings : EvaluateSettings
        How an interval is drawn.
    """
    return {
        "balanced_accuracy": _accuracy(record, folder, settings),
        "parameters": str(record["num_parameters"]),
        "keras.bytes": str(record["bytes"]),
        "keras.latency_p50_ms": f"{record['latency_p50_ms']:.4g}",
    }


def _accuracy(record: Mapping[str, Any], folder: Path, settings: EvaluateSettings) -> str:
    """Say what it reaches on test, where it was tested, else on validation, which chose it."""
    metrics = record["metrics"]
    if "test_balanced_accuracy" in metrics:
        interval = record.get("intervals", {}).get("test_balanced_accuracy")
        on = f"{record['num_images']} test images"
        return accuracy_fact(metrics["test_balanced_accuracy"], interval, on)
    value, kept = metrics["validation_balanced_accuracy"], folder / ANSWERS
    if not kept.exists():
        return accuracy_fact(value, None, "validation")
    with np.load(kept) as found:
        labels = found["labels"]
        intervals = bootstrap_intervals(
            labels,
            found["probabilities"],
            found["lesions"],
            num_samples=settings.bootstrap_samples,
            confidence=settings.confidence,
            seed=settings.seed,
        )
    return accuracy_fact(value, intervals["balanced_accuracy"], f"{len(labels)} validation images")


def describe_new(registry: Registry, number: str, facts: Mapping[str, str]) -> None:
    """Tag and describe a version that nobody described yet; a review's card stays."""
    version = registry.version(number)
    missing = {name: value for name, value in facts.items() if name not in version.tags}
    registry.tag(version, missing)
    if not version.description:
        registry.describe(version, headline({**version.tags, **missing}))


def describe_model(registry: Registry) -> None:
    """Write the registered model's description, and a tag for each alias: which version has it."""
    lines = [ABOUT]
    for role in ROLES:
        version = registry.aliased(role)
        if version is not None:
            tags = version.tags
            lines.append(f"{role.capitalize()}, version {version.version}: {headline(tags)}")
            name = f"{tags.get('network', '?')} {tags.get('notation', '')}".strip()
            gates = tags.get("gates", "not judged")
            registry.tag_model(f"the {role}", f"version {version.version}: {name}, {gates}")
    registry.describe_model("\n\n".join(lines))
