"""The model registry: review, evaluate, promote, roll back, trace, rebuild."""

from typing import Annotated, Any

import typer

from slimderm.components.common.errors import RecordError
from slimderm.flows.base.terminal import console
from slimderm.flows.cli.command import Answer, Json, say

Why = Annotated[str, typer.Option(help="The reason, kept with who and when.")]


def review() -> None:
    """Judge the challenger and the champion by the gates.

    Reads both models from the registry, the test images and mlflow/registry.yaml. Writes the
    evidence into MLflow and data/review.json, and the files that both are shipped as into
    data/edge. Takes minutes: the models classify the test images.
    """
    from slimderm.flows.steps.table import make

    make("review")


def evaluate(
    data: Annotated[str, typer.Argument(help="A folder of labelled images, as for run.")],
    model: Annotated[
        str, typer.Option(help="A version, such as slimderm/3 or 3; empty for the champion.")
    ] = "",
    skin_tone: Annotated[
        str, typer.Option(help="The column of skin tones; empty for one of a known name.")
    ] = "",
    as_json: Json = False,
) -> Answer:
    """Judge a version on a labelled folder that it has not seen.

    Reads the images, their table, the version, and from DVC what it was trained on: those lesions
    and images are left out, and counted. Writes a page and tables into reports/evaluations/, and a
    run into MLflow. Takes milliseconds for each image, and some ten seconds to load TensorFlow.
    """
    from rich.table import Table

    from slimderm.components.reporting.evaluation_page import metrics_table
    from slimderm.flows.serving.evaluate import PAGE, evaluate_folder, sentences
    from slimderm.flows.serving.evaluate import as_json as answer

    evaluated = evaluate_folder(data, model, skin_tone)
    found = evaluated.evaluation
    for sentence in [*sentences(found)["judged"], *sentences(found)["calibration"]]:
        say(sentence)
    table = Table("metric", "value", "interval", caption="not a medical device: docs/evaluate.md")
    for row in metrics_table(found.metrics).itertuples():
        table.add_row(row.metric, f"{row.value:.3f}", f"{row.low:.3f} to {row.high:.3f}")
    console.print(table)
    noted = found.subgroups[found.subgroups["note"] != ""]
    for row in noted.itertuples():
        say(f"{row.by} {row.group}: {row.note} ({row.num_lesions} lesions)")
    say(f"evaluate: {evaluated.folder / PAGE}; MLflow run {evaluated.run_id}")
    return Answer(answer(evaluated))


def promote(
    version: Annotated[str, typer.Option(help="Its number; empty for the challenger.")] = "",
    why: Why = "",
    as_json: Json = False,
) -> Answer:
    """Make the challenger the champion if its gates passed.

    Reads the registry and the test images. Writes the alias champion and who, when and why. Takes
    seconds where the review is on record, else minutes. Exits with 1 if a gate failed, if the gates
    lack the images to tell and no --why is given, or if aliases of a shared store do not move from
    this branch (docs/promotion.md).
    """
    from slimderm.flows.work.promotion import promote

    return _champion(promote(version, why))


def rollback(why: Why = "", as_json: Json = False) -> Answer:
    """Make the previous champion the champion again.

    Reads the registry. Writes the alias champion and who, when and why. Takes seconds.
    """
    from slimderm.flows.work.promotion import rollback

    return _champion(rollback(why))


def _champion(version: Any) -> Answer:
    say(f"promote: version {version.version} is the champion")
    return Answer({"model": version.name, "champion": version.version})


def lineage(
    model: Annotated[str, typer.Argument(help="A version, such as slimderm/3 or 3.")] = "",
    of: Annotated[
        str,
        typer.Option(
            help="Instead: a commit, a data version, an MLflow run or a flow run, four characters "
            "or more, to list the versions that it led to."
        ),
    ] = "",
    as_json: Json = False,
) -> Answer:
    """Show what a model was made of, or what a commit or data led to.

    Reads MLflow. Writes nothing. Takes seconds.
    """
    from slimderm.flows.config.params import read_params
    from slimderm.flows.record.lineage import lineage, made_of
    from slimderm.flows.record.mlflow_store import Tracker
    from slimderm.flows.record.registry import Registry

    if not model and len(of) < 4:
        raise RecordError(
            f"OF: received {of!r}, expected four characters or more of a commit, a data version, "
            "an MLflow run or a flow run; or MODEL=version to see what a model was made of"
        )
    tracker = Tracker(read_params().record)
    registry = Registry(tracker)
    if model:
        found = lineage(tracker, registry.version(model.rpartition("/")[2]))
        width = max(map(len, found))
        for name, value in found.items():
            say(f"{name:<{width}}  {value}")
        return Answer(found)
    versions = sorted(made_of(tracker, of), key=lambda each: int(each.version))
    all_found = [lineage(tracker, version) for version in versions]
    for found in all_found:
        say(", ".join(list(found.values())[:3]))
    if not versions:
        say(f"no version of {registry.name!r} was made of {of}")
    return Answer(all_found)


def backfill() -> None:
    """Rebuild MLflow's runs, versions and evidence from the outputs.

    Reads models/, reports/, data/ and dvc.lock. Writes what MLflow lacks; what it has stays as it
    is. Takes minutes. Refuses while a stage behind the models is stale.
    """
    from slimderm.flows.backfill import backfill

    backfill()
    say("backfill: every run and version is on record")
