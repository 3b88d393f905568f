"""The whole pipeline as one Prefect flow: every stale stage of ``dvc.yaml``, in order, recorded."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import UTC, datetime
from functools import cache
from typing import Any

from prefect import Flow, flow, get_run_logger
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.runtime import flow_run

from slimderm.components.common.errors import ParameterError, SlimDermError
from slimderm.flows.agents.coordinator import AgentJobs
from slimderm.flows.agents.trial import trial
from slimderm.flows.base.retry import ask_prefect
from slimderm.flows.base.terminal import printed_to
from slimderm.flows.config import form, layout
from slimderm.flows.config.params import read_params, recorded_by
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.dvc_repository import writing
from slimderm.flows.record.inputs import steady_inputs
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.origin import person
from slimderm.flows.record.page_links import page_links
from slimderm.flows.record.registry import Registry
from slimderm.flows.scheduling import run_in_order
from slimderm.flows.steps.table import STAGES, flow_of
from slimderm.flows.work.gates_shown import gates_shown

STEP = "step_"  # begins the name by which Prefect finds the flow of a single stage here
WHERE = tuple(map(form.entry, form.WHERE))
FORM = (form.RECIPE, *map(form.entry, form.RUN), form.AGENTS, *WHERE)


def run_stage(stage: str) -> None:
    """Run a stage here, and record what came out; what it prints stands in this flow run's log."""
    step, arguments = flow_of(stage)
    log = printed_to(get_run_logger().info)
    shown = gates_shown() if stage == "review" else nullcontext()
    with dvc_lock.made(stage), shown, steady_inputs(stage), log:
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


@contextmanager
def _parameters(entries: Collection[form.Entry], given: dict[str, Any]) -> Iterator[None]:
    """Work with what a form was given, else with ``params.yaml`` as it is; hold the clone."""
    found = form.sections(entries, given)
    where = found.pop("record", {})
    with ExitStack() as stack:
        stack.enter_context(trial(given.get(form.RECIPE.name), found))
        stack.enter_context(recorded_by(**where))
        stack.enter_context(writing())
        yield


def _name() -> str:
    """Name a run of the pipeline by its time, the user whose process it is, and its values."""
    given = {each.name: flow_run.parameters.get(each.name) for each in FORM}
    given.pop(form.AGENTS.name)
    said = [f"{name} {_words(value)}" for name, value in given.items() if value is not None]
    return ", ".join([f"pipeline {datetime.now(UTC):%Y-%m-%d %H:%M:%S} by {person()}", *said])


def _words(value: object) -> str:
    """Write a parameter's value, and those of a list, without the signs of Python's lists."""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@form.offers(FORM)
@flow(name="pipeline", flow_run_name=_name, timeout_seconds=14 * 24 * 3600)
def pipeline(**given: Any) -> list[str]:
    """Bring everything up to date: run what `dvc status` calls stale, and record it.

    Afterwards `dvc status` finds nothing to do, as after `dvc repro`. Returns the stages that ran.
    With a recipe or other values it works in a clone inside this one, and leaves this one's files.
    """
    with _parameters(FORM, given), page_of_run("pipeline") as ran:
        run_stages(dvc_lock.stages(), ran, agents=bool(given.get("agents")))
        review_anyway(ran)
    return ran


def __getattr__(name: str) -> Flow[..., Any]:
    """Return the flow ``step_<stage>`` of a single stage, whose form shows its parameters alone."""
    if not name.startswith(STEP) or name.removeprefix(STEP) not in STAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return step_of(name.removeprefix(STEP))


@cache
def step_of(name: str) -> Flow[..., Any]:
    """Return the flow that brings one stage up to date, as `dvc repro --single-item` does.

    The stage review judges the registry each time, stale or not, as the pipeline does.
    """
    line, shown = STAGES[name], list(form.of_stage(name))
    shown[:0] = [form.ITEM] if form.repeats(name) else []
    shown += [*([form.AGENTS] if line.trains else []), *(WHERE if line.chunks else ())]

    @form.offers(shown)
    @flow(name="step", flow_run_name=f"step {name}", timeout_seconds=7 * 24 * 3600)
    def step(**given: Any) -> list[str]:
        """Bring one step up to date. Returns the stages that ran.

        With other values it works in a clone inside this one, and leaves this one's files.
        """
        with _parameters(shown, given):
            wanted = _wanted(name, given.get("item"))
            with page_of_run("step") as ran:
                run_stages(wanted, ran, agents=bool(given.get("agents")))
                if name == "review":
                    review_anyway(ran)
        return ran

    return step


def _wanted(name: str, item: str | None) -> list[str]:
    """Return the stages of a name, or the one of an item."""
    known = [stage for stage in dvc_lock.stages() if stage.split("@")[0] == name]
    wanted = [stage for stage in known if item in (None, stage.partition("@")[2])]
    if not wanted:
        raise ParameterError(
            f"item: received {item!r}, expected one of {', '.join(known) or 'none'}; "
            "networks, studies and slim of params.yaml say which there are"
        )
    return wanted
