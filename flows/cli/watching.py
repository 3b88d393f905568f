"""The model in use: look at its inputs, take labels that come later."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from slimderm.flows.base.terminal import console
from slimderm.flows.cli.command import Answer, Json, say

if TYPE_CHECKING:
    from slimderm.flows.serving.watch.look import Look


def watch(
    model: Annotated[
        str, typer.Option(help="A version, such as slimderm/3 or 3; empty for the champion.")
    ] = "",
    reference: Annotated[
        bool, typer.Option("--reference", help="Only make the reference, anew.")
    ] = False,
    as_json: Json = False,
) -> Answer:
    """Compare inputs in use with training's.

    Reads the record in data/watch/, labels in data/feedback/, the section watch of
    mlflow/registry.yaml and the reference among the version's artifacts; makes that from data/raw
    where there is none. Writes a page into reports/watch/ and a run into MLflow. Takes seconds, the
    reference a minute. Exits with 1 on an alarm.
    """
    from slimderm.flows.config.params import read_params
    from slimderm.flows.record.mlflow_store import Tracker
    from slimderm.flows.record.registry import Registry
    from slimderm.flows.serving.watch.flow import look_at, version_of
    from slimderm.flows.serving.watch.reference import make_reference

    if reference:
        registry = Registry(Tracker(read_params().record))
        version = version_of(registry, model)
        made = make_reference(registry, version, registry.settings.watch)
        say(f"watch: reference of {version.name} version {version.version}, {len(made)} images")
        return Answer({"model": f"{version.name}/{version.version}", "images": len(made)})
    return _show(look_at(model))


def feedback(
    table: Annotated[
        str, typer.Argument(help="A CSV file: prediction_id, diagnosis, perhaps lesion_id.")
    ],
    correct: Annotated[
        bool, typer.Option("--correct", help="Let labels replace others of the same predictions.")
    ] = False,
    as_json: Json = False,
) -> Answer:
    """Take labels that came later, and judge the champion by all that came.

    Reads the table and the record in data/watch/. Writes what is new as a file into data/feedback/,
    and page and run as the command watch. Takes seconds. A table with a fault is refused whole.
    Exits with 1 on an alarm.
    """
    from slimderm.flows.config.params import read_params
    from slimderm.flows.record.mlflow_store import Tracker
    from slimderm.flows.record.registry import Registry
    from slimderm.flows.serving.watch.labels import add_labels
    from slimderm.flows.serving.watch.look import look

    params = read_params()
    delivery, file = add_labels(params, table, correct=correct)
    kept = f"{len(delivery.labels)} new labels in {file}" if file else "no new label"
    say(
        f"feedback: {kept}, {delivery.corrected} in place of others; {delivery.known} were known, "
        f"{delivery.empty} rows have no id or no diagnosis"
    )
    registry = Registry(Tracker(params.record))
    answer = _show(look(params, registry, registry.expected("champion"), make=False))
    counts = {name: getattr(delivery, name) for name in ("known", "empty", "corrected")}
    return Answer(answer.value | {"new": len(delivery.labels)} | counts, passed=answer.passed)


def _show(found: "Look") -> Answer:
    from rich.table import Table

    for sentence in found.inputs.said:
        say(sentence)
    if found.inputs.table is not None:
        table = Table("statistic", "change", "distance", "adjusted p", "", caption="docs/watch.md")
        for row in found.inputs.table.itertuples():
            mark = "drifted" if row.drifted else ""
            distance = "" if row.distance != row.distance else f"{row.distance:.2f}"
            table.add_row(row.statistic, row.change, distance, f"{row.p_adjusted:.2g}", mark)
        console.print(table)
    for sentence in found.labels.said:
        say(sentence)
    if found.labels.accuracy is not None:
        console.print(_accuracy(found.labels.accuracy))
    for alarm in found.alarms:
        say(f"ALARM {alarm}")
    say(f"watch: {found.page}; MLflow run {found.run_id}")
    return Answer(found.as_json(), passed=not found.alarms)


def _accuracy(frame: Any) -> Any:
    from rich.table import Table

    table = Table("when", "figure", "value", "interval", "lesions", "")
    for row in frame.itertuples():
        known = row.value == row.value
        value = f"{row.value:.3f}" if known else ""
        interval = f"{row.low:.3f} to {row.high:.3f}" if known else ""
        name = row.figure.replace("_", " ")
        table.add_row(row.when, name, value, interval, str(row.num_lesions), row.note)
    return table
