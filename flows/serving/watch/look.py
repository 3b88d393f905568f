"""A look at a version's recorded inputs and labels: its page, and its run in MLflow."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.cache import content_key, replacing
from slimderm.components.reporting.page import render
from slimderm.components.reporting.watch_page import watch_sections
from slimderm.flows.base.files import write_text
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.record.provenance import provenance_tags
from slimderm.flows.record.registry import Registry
from slimderm.flows.serving.watch.inputs import InputsFound, look_at_inputs
from slimderm.flows.serving.watch.labels import LabelsFound, look_at_labels

GROUP = "watch"  # name of the parent run
PAGE = "index.html"


@dataclass(frozen=True)
class Look:
    """What was found of a version until a day (UTC), and the run in MLflow that keeps it."""

    version: Any
    until: date
    inputs: InputsFound
    labels: LabelsFound
    run_id: str

    @property
    def alarms(self) -> list[str]:
        """What drifted, and what lies below a limit."""
        return self.inputs.alarms + self.labels.alarms

    @property
    def page(self) -> Path:
        """Where its page lies."""
        return _folder(self.version) / PAGE

    def as_json(self) -> dict[str, Any]:
        """Give what a script needs."""
        return {
            "model": f"{self.version.name}/{self.version.version}",
            "until": self.until.isoformat(),
            "alarms": self.alarms,
            "figures": dict(_numbers(self.inputs, self.labels)),
            "page": str(self.page),
            "run": self.run_id,
        }


def look(
    params: Params, registry: Registry, version: Any, *, make: bool, until: date | None = None
) -> Look:
    """Look at a version's inputs and labels; write the page, and a run into MLflow.

    Parameters
    ----------
    params : Params
        The section evaluate says how intervals are drawn.
    make : bool
        Whether a reference is made where there is none.
    until : date, optional
        The last day, UTC; without it today.

    Raises
    ------
    IncomparableError
        If a reference must be made and cannot be.
    RecordError
        If labels that were kept are damaged.
    """
    day = until or datetime.now(UTC).date()
    inputs = look_at_inputs(registry, version, day, make=make)
    labels = look_at_labels(params, version, registry.settings.watch)
    _write(version, day, inputs, labels)
    return Look(version, day, inputs, labels, _record(registry, version, day, inputs, labels))


def _folder(version: Any) -> Path:
    return layout.WATCHED / f"{version.name}-{version.version}"


def _write(version: Any, day: date, inputs: InputsFound, labels: LabelsFound) -> None:
    """Write the page and its tables; those of an earlier look are in MLflow."""
    alarms = [*inputs.alarms, *labels.alarms]
    found = f"Alarm: {'; '.join(alarms)}." if alarms else "No alarm."
    sections = watch_sections(
        [found, *inputs.said],
        table=inputs.table,
        reference=inputs.reference,
        inputs=inputs.inputs,
        labels_said=labels.said,
        accuracy=labels.accuracy,
    )
    title = f"Inputs of {version.name} version {version.version} until {day}"
    with replacing(_folder(version)) as draft:
        write_text(draft / PAGE, render(title, sections))
        for name, table in (("statistics", inputs.table), ("accuracy", labels.accuracy)):
            if table is not None:
                write_text(draft / f"{name}.csv", table.to_csv(index=False))


def _record(
    registry: Registry, version: Any, day: date, inputs: InputsFound, labels: LabelsFound
) -> str:
    """Log a look as a run of its own, once for the same content; return the run's id."""
    tracker = registry.tracker
    figures = dict(_numbers(inputs, labels))
    name = f"version {version.version} until {day}"
    key = content_key(watch=f"{version.name}/{name}", figures=figures)
    known = tracker.find(key)
    if known is not None:
        return str(known.info.run_id)
    parent = tracker.parent(content_key(parent=GROUP), GROUP, provenance_tags())
    tags = {"watched.model": f"{version.name}/{version.version}", "watched.run": version.run_id}
    with tracker.child(parent, key, name, provenance_tags() | tags) as run:
        run.params({"until": day, "alarms": "; ".join(inputs.alarms + labels.alarms)[:500]})
        run.metrics(figures)
        run.artifacts(_folder(version))
    return run.run_id


def _numbers(inputs: InputsFound, labels: LabelsFound) -> Iterator[tuple[str, float]]:
    """Every figure that is defined, by its name in MLflow."""
    yield "num_inputs", len(inputs.inputs)
    yield "num_alarms", len(inputs.alarms) + len(labels.alarms)
    if inputs.table is not None:
        for row in inputs.table.itertuples():
            yield f"p_adjusted.{row.statistic}", row.p_adjusted
            if not pd.isna(row.distance):
                yield f"distance.{row.statistic}", row.distance
    if labels.accuracy is not None:
        whole = labels.accuracy[labels.accuracy["when"] == "all"]
        yield "num_labels", int(whole["num_images"].max())
        for row in whole.dropna(subset=["value"]).itertuples():
            yield row.figure, row.value
            yield f"{row.figure}_low", row.low
            yield f"{row.figure}_high", row.high
