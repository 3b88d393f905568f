"""The whole pipeline as one Prefect flow: every stale stage of ``dvc.yaml``, in order, recorded."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from prefect import flow
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.runtime import flow_run

from slimderm.components.common.errors import ParameterError, SlimDermError
from slimderm.flows.agents.coordinator import AgentJobs
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.config import layout
from slimderm.flows.config.params import Engine, read_params, recorded_by
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.dvc_repository import writing
from slimderm.flows.record.inputs import steady_inputs
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.page_links import page_links
from slimderm.flows.record.registry import Registry
from slimderm.flows.scheduling import run_in_order
from slimderm.flows.steps.table import STAGES, flow_of

# Of a flow's parameters Prefect's form shows what stands under Args, and no other form of it.
if TYPE_CHECKING:
    StepName = str
else:
    StepName = Literal[tuple(STAGES)]


def run_stage(stage: str) -> None:
    """Run a stage here, and record what came out."""
    step, arguments = flow_of(stage)
    with dvc_lock.made(stage), steady_inputs(stage):
        step(*arguments)


def run_stages(wanted: list[str], ran: list[str], *, agents: bool) -> None:
    """Run those of some stages that are stale, each when what it needs is there.

    Parameters
    ----------
    wanted : list of str
        In an order in which each follows what it needs.
    ran : list of str
        Gets those that ran, in the order in which they ended, also where one fails.
    agents : bool
        Whether stages that train go to agents, side by side, while the others run here.
    """
    jobs = AgentJobs() if agents else None
    description = "stages up to date"
    progress = ask_prefect(create_progress_artifact, 0.0, "progress", description)
    for stage, left in run_in_order(wanted, run_stage, jobs):
        ran.append(stage)
        ask_prefect(update_progress_artifact, progress, 100 * (1 - left / len(wanted)))
    ask_prefect(update_progress_artifact, progress, 100.0)


def review_anyway(ran: list[str]) -> None:
    """Review if it did not run: a promotion changes no file, so no stage goes stale by it."""
    if "review" not in ran:
        run_stage("review")


@contextmanager
def page_of_run(key: str) -> Iterator[list[str]]:
    """Yield a list for the stages that run; show it on the flow run's page, with links.

    It is shown when a stage fails, too.
    """
    from slimderm.flows.record.runs import find_report
    from slimderm.flows.work.pruning_summary import pruning_markdown

    ran: list[str] = []

    def show(none: str) -> None:
        what = ", ".join(ran) or none
        tracker = Tracker(read_params().record)
        report = find_report(tracker, layout.REPORTS)
        pages = page_links(Registry(tracker), str(flow_run.id), report=report)
        text = f"{len(ran)} stages ran: {what}\n\n{pruning_markdown()}\n\n{pages}"
        about = "What ran, every pruning step, and where to look"
        ask_prefect(create_markdown_artifact, text, key, about)

    try:
        yield ran
    except SlimDermError:
        show("the first that was stale failed")
        raise
    show("nothing was stale")


def _name() -> str:
    return f"pipeline {datetime.now(UTC):%Y-%m-%d %H:%M}"


@flow(name="pipeline", flow_run_name=_name, timeout_seconds=14 * 24 * 3600)
def pipeline(
    agents: bool = False, engine: Engine | None = None, dask_address: str | None = None
) -> list[str]:
    """Bring everything up to date: run what `dvc status` calls stale, and record it.

    Afterwards `dvc status` finds nothing to do, as after `dvc repro`. Returns the stages that ran.

    Args:
        agents: Train and prune on the workers of pool gpu, networks side by side.
        engine: Where chunks of images run; empty for what params.yaml says.
        dask_address: For dask, the scheduler, such as tcp://head:8786.
    """
    chosen = recorded_by(engine=engine, dask_address=dask_address)
    with chosen, writing(), page_of_run("pipeline") as ran:
        run_stages(dvc_lock.stages(), ran, agents=agents)
        review_anyway(ran)
    return ran


@flow(name="step", flow_run_name="step {name}", timeout_seconds=7 * 24 * 3600)
def step(
    name: StepName,
    item: str | None = None,
    agents: bool = False,
    engine: Engine | None = None,
    dask_address: str | None = None,
) -> list[str]:
    """Bring one step up to date, as `dvc repro --single-item` does. Returns the stages that ran.

    The step review judges the registry each time, stale or not, as the pipeline does.

    Args:
        name: A step of dvc.yaml.
        item: Of train and prune a network, of study and slim its name; empty for all.
        agents: Train and prune on the workers of pool gpu, networks side by side.
        engine: Where chunks of images run; empty for what params.yaml says.
        dask_address: For dask, the scheduler, such as tcp://head:8786.
    """
    with recorded_by(engine=engine, dask_address=dask_address), writing():
        known = [stage for stage in dvc_lock.stages() if stage.split("@")[0] == name]
        wanted = [stage for stage in known if item in (None, stage.partition("@")[2])]
        if not wanted:
            raise ParameterError(
                f"item: received {item!r}, expected one of {', '.join(known) or 'none'}; "
                "networks, studies and slim of params.yaml say which there are"
            )
        with page_of_run("step") as ran:
            run_stages(wanted, ran, agents=agents)
            if name == "review":
                review_anyway(ran)
    return ran
