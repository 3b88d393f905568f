"""Servers that go away in mid-run and come back, and an agent that does not."""

import json
import re
import shutil
import time
from functools import partial

import psutil
import pytest
import yaml

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(2400)]

AWAY_SECONDS = 15
MOMENTS = {  # what is made or at work when a server goes away; what is not made until it is back
    "Prefect": ("storage", "choose"),
    "S3": ("compress", "train@lenet5"),
    "PostgreSQL": ("train", "train@lenet5"),  # of the command of its process
    "MLflow": ("prune@lenet5", "register"),
}
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


@pytest.fixture(scope="module")
def platform(make_workspace, soak, postgres, store, free_port):
    """Servers on PostgreSQL and S3, and a worker of each pool, beside one clone."""
    workspace = make_workspace(soak)
    ports = {"MLFLOW_PORT": free_port(), "PREFECT_PORT": free_port()}
    workspace.environment |= ports | postgres.environment() | store.environment()
    workspace.run("python", "-m", "slimderm", "remote", "s3://lesions/versions")
    try:
        workspace.run("python", "-m", "slimderm", "up")
        workspace.environment |= {
            "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['MLFLOW_PORT']}",
            "PREFECT_API_URL": f"http://127.0.0.1:{ports['PREFECT_PORT']}/api",
        }
        yield workspace
    finally:
        workspace.run("python", "-m", "slimderm", "down")


def submit(workspace):
    said = workspace.run("prefect", "deployment", "run", "pipeline/scheduled").stdout
    return re.search(r"UUID: (\S+)", said)[1]


def agents(workspace):
    """The flow runs on agents, the first first."""
    body = {"flows": {"name": {"any_": ["agent"]}}, "sort": "EXPECTED_START_TIME_ASC"}
    return workspace.ask("/flow_runs/filter", body)


def state_of(workspace, run):
    return workspace.ask(f"/flow_runs/{run}")["state_type"]


def progress(workspace):
    """The stages that are made, and what processes in the clone have on their command lines."""
    known = [each.info for each in psutil.process_iter(["cwd", "cmdline"])]
    here = [each for each in known if (each["cwd"] or "").startswith(str(workspace.folder))]
    return {*workspace.stages(), *(part for each in here for part in each["cmdline"] or ())}


def ended(workspace, run, wait_until):
    wait_until(lambda: state_of(workspace, run) in FINAL, 900, pause=2)
    return workspace.ask(f"/flow_runs/{run}")


def kill(workspace, service):
    """Kill a server or worker of `make up` with all that it started, as a power cut does."""
    kept = json.loads((workspace.folder / ".servers" / f"{service}.json").read_text())
    parent = psutil.Process(kept["pid"])
    for process in (parent, *parent.children(recursive=True)):  # runs have sessions of their own
        process.kill()


def test_each_server_goes_away_in_mid_run_and_comes_back(
    platform, undisturbed, postgres, store, wait_until, outcome
):
    def restarted(service):
        return (
            lambda: kill(platform, service),
            lambda: platform.run("python", "-m", "slimderm", "up"),
        )

    servers = {
        "Prefect": restarted("prefect"),
        "S3": (store.stop, store.start),
        "PostgreSQL": (postgres.stop, postgres.start),
        "MLflow": restarted("mlflow"),
    }
    runs = [submit(platform)]

    def goes_on_at(moment):
        if state_of(platform, runs[-1]) in FINAL:  # the outage before failed it
            runs.append(submit(platform))
        return moment in progress(platform) and state_of(platform, runs[-1]) == "RUNNING"

    for name, (moment, to_do) in MOMENTS.items():
        stop, start = servers[name]
        wait_until(partial(goes_on_at, moment), 400)
        stop()
        assert to_do not in platform.stages()
        time.sleep(AWAY_SECONDS)
        assert to_do not in platform.stages()
        if name == "S3":
            assert not agents(platform)  # a job is sent after what it reads
        start()
        wait_until(lambda: platform.ask("/health"), 120)
    last = ended(platform, runs[-1], wait_until)
    while last["state_type"] != "COMPLETED" and len(runs) <= len(servers):  # one an outage may fail
        runs.append(submit(platform))
        last = ended(platform, runs[-1], wait_until)
    assert last["state_type"] == "COMPLETED", last["state"]["message"]
    platform.check(undisturbed)
    states = [platform.ask(f"/flow_runs/{run}")["state_name"] for run in runs]
    outcome(
        f"{', '.join(servers)}, each stopped in mid-run and started {AWAY_SECONDS} s later",
        f"the runs ended as {', '.join(states)}, with the undisturbed tables",
    )


def start_anew(workspace, experiment):
    """Let all trainings be stale, in an experiment of their own; return the agents' runs so far."""
    params = workspace.folder / "params.yaml"
    params.write_text(re.sub(r"experiment: \w+", f"experiment: {experiment}", params.read_text()))
    shutil.rmtree(workspace.folder / ".agent", ignore_errors=True)
    lock = workspace.folder / "dvc.lock"
    if lock.exists():
        made = yaml.safe_load(lock.read_text())
        for stage in ("train@lenet5", "prune@lenet5"):
            made["stages"].pop(stage, None)
        lock.write_text(yaml.safe_dump(made))
    return len(agents(workspace))


def wait_for_training(workspace, before, wait_until):
    wait_until(lambda: len(agents(workspace)) > before, 600, pause=1)
    wait_until(lambda: agents(workspace)[-1]["state_type"] == "RUNNING", 120)
    time.sleep(10)


def test_the_job_of_a_lost_agent_is_sent_again(platform, undisturbed, wait_until, outcome):
    before = start_anew(platform, "agent")
    run = submit(platform)
    wait_for_training(platform, before, wait_until)
    kill(platform, "worker-gpu")
    lost = time.monotonic()
    platform.run("python", "-m", "slimderm", "up")
    wait_until(lambda: len(agents(platform)) > before + 1, 400, pause=2)
    noticed = time.monotonic() - lost
    assert ended(platform, run, wait_until)["state_type"] == "COMPLETED"
    states = [each["state_type"] for each in agents(platform)[before:]]
    assert states == ["CRASHED", "COMPLETED", "COMPLETED"]  # train lost, train, prune
    platform.check(undisturbed)
    outcome(
        "an agent killed with its worker in mid-training",
        f"noticed by its silence ({noticed:.0f} s), its job sent again, the undisturbed tables",
    )


def test_a_lost_coordinator_is_noticed_and_the_next_takes_up_what_it_sent(
    platform, undisturbed, wait_until, outcome
):
    before = start_anew(platform, "coordinator")
    lost = submit(platform)
    wait_for_training(platform, before, wait_until)
    step = platform.ask("/deployments/name/step/choose")["id"]
    pending = {"state": {"type": "PENDING", "name": "Pending"}}  # taken by a worker, not started
    taken = platform.ask(f"/deployments/{step}/create_flow_run", pending)["id"]
    kill(platform, "worker-cpu")
    platform.run("python", "-m", "slimderm", "up")
    assert ended(platform, submit(platform), wait_until)["state_type"] == "COMPLETED"
    for run in (lost, taken):
        state = ended(platform, run, wait_until)["state"]
        assert (state["type"], state["message"][:15]) == ("CRASHED", "no sign of life")
    states = [each["state_type"] for each in agents(platform)[before:]]
    assert states == ["COMPLETED", "COMPLETED"]  # train, prune: nothing sent twice
    platform.check(undisturbed)
    assert len(platform.ask("/automations/filter", {})) == 3  # however often servers were started
    outcome(
        "the pipeline killed with its worker while an agent trains; a run taken and never started",
        "both noticed by their silence; the next run took up what the agent had made, once each",
    )
