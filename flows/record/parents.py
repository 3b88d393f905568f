"""What a network's parent run says of its children, so that the list of runs shows what came out.

It is read from the children that MLflow holds, whoever recorded them. What changes when a child is
judged anew stands in metrics and tags: MLflow's parameters are written once.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from slimderm.flows.record.metric_names import plain
from slimderm.flows.record.mlflow_run import Run
from slimderm.flows.record.mlflow_store import Tracker

NOTE = "mlflow.note.content"  # tag: a run's description on MLflow's page
SMALLEST = (
    "num_parameters",
    "share_of_parameters",
    "bytes",
    "validation_balanced_accuracy",
    "test_balanced_accuracy",
)  # figures of the smallest accepted network


def summarise(tracker: Tracker, parent_id: str) -> None:
    """Bring the summary of a parent run up to date.

    A figure that no child has any more becomes NaN, for MLflow deletes no metric.
    """
    children = tracker.children(parent_id)
    if not children:
        return
    metrics, tags = summary(children)
    known = tracker.client.get_run(parent_id).data
    gone = [name for name in _names() if name in known.metrics and name not in metrics]
    metrics |= dict.fromkeys(gone, math.nan)
    changed = {name: value for name, value in metrics.items() if _differs(known, name, value)}
    if changed:
        Run(tracker, parent_id).metrics(changed)
    for name, value in tags.items():
        if known.tags.get(name) != value:
            tracker.client.set_tag(parent_id, name, value)


def _differs(known: Any, name: str, value: float) -> bool:
    before = known.metrics.get(name)
    if before is None:
        return True
    return bool(before != value and not (math.isnan(before) and math.isnan(value)))


def _names() -> list[str]:
    return ["best/validation_balanced_accuracy", *(f"smallest/{name}" for name in SMALLEST)]


def summary(children: Sequence[Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Sum up finished runs of one network.

    Parameters
    ----------
    children : sequence of mlflow.entities.Run
        At least one. Those that are judged have the tag ``accepted``.

    Returns
    -------
    metrics : dict
        ``best/validation_balanced_accuracy`` of all, and of the accepted run with the fewest
        parameters, of equals that with the fewest bytes, ``smallest/`` and each of `SMALLEST`. What
        is not known is left out.
    tags : dict
        ``verdict``: accepted, or none accepted; ``notation`` of the smallest; and `NOTE`.
    """
    figures = {child.info.run_id: _figures(child) for child in children}
    judged = [child for child in children if "accepted" in child.data.tags]
    accepted = [child for child in judged if child.data.tags["accepted"] == "true"]
    accepted = [child for child in accepted if "num_parameters" in figures[child.info.run_id]]
    values = [each.get("validation_balanced_accuracy") for each in figures.values()]
    best = max((value for value in values if value is not None), default=None)
    metrics = {} if best is None else {"best/validation_balanced_accuracy": best}
    smallest = min(accepted, key=lambda child: _size(figures[child.info.run_id]), default=None)
    counted = f"{len(judged)} judged"
    if smallest is None:
        tags = {"verdict": "none accepted", "notation": "none"}
        return metrics, tags | {NOTE: f"None of {counted} is accepted." + _sentence(metrics)}
    own = figures[smallest.info.run_id]
    metrics |= {f"smallest/{name}": own[name] for name in SMALLEST if name in own}
    notation = smallest.data.tags.get("notation", smallest.info.run_name)
    note = f"Smallest accepted of {counted}: {notation}, {own['num_parameters']:,.0f} parameters"
    if "share_of_parameters" in own:
        note += f" ({own['share_of_parameters']:.1%} of the unpruned network's)"
    if "bytes" in own:
        note += f", {own['bytes']:,.0f} bytes"
    tags = {"verdict": "accepted", "notation": notation}
    return metrics, tags | {NOTE: f"{note}." + _sentence(metrics)}


def _sentence(metrics: Mapping[str, float]) -> str:
    best = metrics.get("best/validation_balanced_accuracy")
    if best is None:
        return ""
    own = metrics.get("smallest/validation_balanced_accuracy")
    its = "" if own is None else f"its own {own:.3f}, "
    return f" Balanced accuracy on validation: {its}best of all runs {best:.3f}."


def _figures(child: Any) -> dict[str, float]:
    """Return a run's metrics; of a recipe's network the bytes are those of its `.slim` file."""
    found = plain(child.data.metrics)
    return found | {"bytes": found["slim_bytes"]} if "slim_bytes" in found else found


def _size(figures: Mapping[str, float]) -> tuple[float, float]:
    return figures["num_parameters"], figures.get("bytes", math.inf)
