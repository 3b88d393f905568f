"""Servers, workers, stores, and what this machine has."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from slimderm.flows.base.terminal import console
from slimderm.flows.cli.command import Answer, Json, say

if TYPE_CHECKING:
    from slimderm.flows.servers.doctor import Finding

COLOURS = {"ok": "green", "FAIL": "red", "skipped": "dim"}


def _pools() -> list[str]:
    return ["cpu", "gpu"]  # flows.agents.deployments.POOLS; a test compares them


def up(
    pools: Annotated[
        list[str] | None,
        typer.Argument(
            help="Work pools that get a worker here; all where none is named.",
            autocompletion=_pools,
        ),
    ] = None,
) -> None:
    """Start MLflow, Prefect and workers on this machine.

    Reads params.yaml, prefect.yaml and the servers' own variables. Writes .servers/ (logs) and,
    where nothing else is set, mlflow.db and mlartifacts/. Takes half a minute; the processes run on
    until the command down, with some 1 GB of memory. They listen on loopback.
    """
    from slimderm.flows.servers import local

    local.up(*pools or ())


def down() -> None:
    """Stop what the command up started.

    Reads .servers/. Stops the workers first, with the flows that they run, then the servers. Takes
    seconds.
    """
    from slimderm.flows.servers import local

    local.down()


def agent(
    pool: Annotated[str, typer.Argument(help="A work pool.", autocompletion=_pools)] = "gpu",
    gpu: Annotated[str, typer.Option(help="The number of the one GPU to use; empty for all.")] = "",
) -> None:
    """Become a worker of servers on another machine.

    Reads PREFECT_API_URL and MLFLOW_TRACKING_URI, which name the servers. Runs jobs in this clone
    until it is stopped. Refuses the pool gpu where Keras sees no GPU.
    """
    from slimderm.flows.servers import local

    if gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    local.agent(pool)


def deploy() -> None:
    """Make work pools and deployments known to Prefect.

    Reads prefect.yaml and PREFECT_API_URL. Writes pools, deployments and the automations of the
    command automations to Prefect's server. Takes half a minute. The command up does it, too.
    """
    from slimderm.flows.agents.deployments import deploy

    deploy(os.environ)


def automations(
    notify: Annotated[
        str | None,
        typer.Option(
            envvar="SLIMDERM_NOTIFY",
            show_envvar=True,
            help="Where to tell of failed, lost and late runs: Slack's webhook, jsons://host/path, "
            "mailtos://host?user=...&pass=..., or another address of Apprise.",
        ),
    ] = None,
) -> None:
    """Have Prefect end runs of lost machines, and tell of failed and late ones.

    Reads PREFECT_API_URL. Writes automations, and the block with the address, to Prefect's server;
    without an address those that tell people are off. Takes seconds. The command deploy does it,
    too.
    """
    from slimderm.flows.agents.automations import automate

    automate(notify)


def remote(
    url: Annotated[str, typer.Argument(help="A folder, or s3://bucket/prefix.")],
    others: Annotated[
        list[str] | None,
        typer.Argument(help="S3 addresses that must be writable, too, such as MLflow's artifacts."),
    ] = None,
) -> None:
    """Choose where data versions are kept.

    Reads the S3 endpoint and the credentials from the environment. Writes .dvc/config.local;
    creates a bucket that is not there, and writes and deletes a small file in it. Takes seconds.
    """
    from slimderm.flows.record.s3 import use_remote

    use_remote(url, *others or ())


def doctor(as_json: Json = False) -> Answer:
    """Check this machine and clone, and say what to do.

    Checks Python, packages, disk, clock, store, data versions, GPU and servers. Writes nothing, but
    moves damaged data versions to .dvc/damaged. Takes as long as hashing DVC's cache. Exits with 1
    if a check fails.
    """
    from slimderm.flows.servers.doctor import examine

    found = [(each.name, state_of(each), each.message) for each in examine()]
    for name, state, said in found:
        console.print(f"[{COLOURS[state]}]{state:<7}[/]  {name:<9} ", end="", highlight=False)
        say(said)
    named = [dict(zip(("name", "state", "said"), each, strict=True)) for each in found]
    return Answer(named, passed=all(state != "FAIL" for _, state, _ in found))


def state_of(finding: "Finding") -> str:
    """Name what a check found: ok, FAIL, or skipped where there is nothing to check."""
    if finding.ok is None:
        return "skipped"
    return "ok" if finding.ok else "FAIL"
