"""The main job: run what is stale, in this process or as a Prefect flow, and see what is stale."""

from pathlib import Path
from typing import Annotated

import typer

from slimderm.flows.cli.command import Answer, Json, say
from slimderm.flows.config import layout


def _recipes() -> list[str]:
    return sorted(map(str, layout.RECIPES.glob("*.yaml")))


Recipe = Annotated[
    Path | None,
    typer.Option(
        help="A file of parameters that replace those of params.yaml.", autocompletion=_recipes
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="A folder of images and their table (docs/own-data.md).")
]


def demo() -> None:
    """Run the whole job on images that it draws.

    Reads params.yaml and dvc.yaml. Writes data/, models/, reports/, dvc.lock and mlflow.db. Takes
    about ten minutes on two cores and less than 1 GB of disk; needs no network. What is up to
    date is not run again.
    """
    _bring_up_to_date()


def run(recipe: Recipe = None, data: Data = None) -> None:
    """Run what is stale, then say what was made.

    Reads params.yaml, dvc.yaml and the images. Writes data/, models/, reports/, dvc.lock and
    mlflow.db; --recipe and --data are written into params.yaml first. Takes minutes to days,
    depending on the parameters and the number of images; needs no network. A run that was stopped
    goes on where it was.
    """
    _apply(recipe, data)
    _bring_up_to_date()


def apply(recipe: Recipe = None, data: Data = None) -> None:
    """Write a recipe or a data folder into params.yaml.

    Reads the recipe. Writes params.yaml, and leaves it as it was if the result is not valid. Runs
    nothing. Takes a second.
    """
    _apply(recipe, data)


def _apply(recipe: Path | None, data: Path | None) -> None:
    from slimderm.flows.config.recipes import apply_recipe
    from slimderm.flows.record.dvc_repository import writing

    if recipe is None and data is None:
        return
    with writing():  # a run reads params.yaml again at the end of each stage
        names = apply_recipe(recipe, data)
    say(f"params.yaml: set {', '.join(names) or 'nothing; it holds these values already'}")
    if recipe is None and "ingest.source" in names:
        say(
            "params.yaml: all other parameters stay as they are, the demo's unless you changed "
            "them: few epochs, small inputs, and a rule of acceptance that proves nothing about a "
            f"network; for real data take RECIPE={layout.RECIPES / 'sound.yaml'}"
        )


def _bring_up_to_date() -> None:
    from slimderm.flows.cli.summary import print_summary
    from slimderm.flows.reproduce import reproduce

    if not reproduce():
        say("nothing was stale")
    print_summary()


def flow() -> None:
    """Run what is stale as a Prefect flow.

    Reads and writes the same as the command run. The flow is recorded by the server that
    PREFECT_API_URL names, or by one that is started for this run. Costs a few seconds more.
    """
    from slimderm.flows.pipeline import pipeline
    from slimderm.flows.servers.embedded import embedded_server

    with embedded_server():
        ran = pipeline()
    say(f"pipeline: {', '.join(ran) or 'nothing was stale'}")


def status(as_json: Json = False) -> Answer:
    """Show which servers and workers run and what is stale.

    Reads .servers/, dvc.lock and the files that it records. Writes nothing that is tracked. Takes
    seconds; the first time longer, since DVC hashes changed files.
    """
    from slimderm.flows.record import dvc_lock
    from slimderm.flows.servers import local

    services = local.states()
    for name, state, place in services:
        say(f"{name:<11} {state:<8} {place}")
    stale = [stage for stage in dvc_lock.stages() if dvc_lock.is_stale(stage)]
    say(f"stale: {', '.join(stale)}; `make run` runs them" if stale else "nothing is stale")
    named = [dict(zip(("name", "state", "place"), each, strict=True)) for each in services]
    return Answer({"services": named, "stale": stale})
