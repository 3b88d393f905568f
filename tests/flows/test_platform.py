"""The whole topology: PostgreSQL, an S3 store, both servers, a coordinator, an agent elsewhere."""

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import boto3
import httpx
import pandas as pd
import psutil
import pytest
from botocore.config import Config
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

from slimderm.flows.record.alias_moves import UNSEEN
from slimderm.flows.steps.table import STAGES

pytestmark = [pytest.mark.slow, pytest.mark.integration, pytest.mark.timeout(2400)]


@pytest.fixture(scope="module")
def platform(make_workspace, tiny, postgres, store, secret, free_port):
    """Servers and a cpu worker beside the coordinator's clone, a gpu worker beside another."""
    params = tiny.replace("networks: [lenet5]", "networks: [lenet5, custom1]")
    coordinator = make_workspace(params)
    ports = {"MLFLOW_PORT": free_port(), "PREFECT_PORT": free_port()}
    coordinator.environment |= ports | postgres.environment() | store.environment()
    coordinator.environment |= passwords(coordinator.folder, secret)
    try:
        coordinator.follow("second-machine.md", "coordinator$", 0, 2)
        agent = elsewhere(coordinator, ports)
        command = agent.commands("second-machine.md", "agent$")[1]
        with (
            said_by(agent).open("w") as said,
            agent.start("bash", "-c", command, stdout=said) as worker,
        ):
            yield coordinator, agent
            end(worker)
    finally:
        coordinator.run("python", "-m", "slimderm", "down")


def passwords(clone, secret):
    """What makes both servers ask for a password, and what answers them."""
    settings = clone.parent / "auth.ini"
    text = (clone / "mlflow/basic_auth.ini").read_text()
    text += "auth_cache_ttl_seconds = 600\n"  # else it hashes the password for each request
    settings.write_text(text.replace("/auth/", f"{clone.parent}/"))
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_USERNAME": "ada",
        "MLFLOW_AUTH_ADMIN_PASSWORD": secret,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secret,
        "MLFLOW_TRACKING_USERNAME": "ada",
        "MLFLOW_TRACKING_PASSWORD": secret,
        "PREFECT_SERVER_API_AUTH_STRING": f"ada:{secret}",
        "PREFECT_API_AUTH_STRING": f"ada:{secret}",
    }


def user(workspace):
    """The name and the password that both servers know."""
    return tuple(workspace.environment["PREFECT_API_AUTH_STRING"].split(":"))


def ask(workspace, path, body=None):
    """Ask Prefect's server."""
    url = f"{workspace.environment['PREFECT_API_URL']}{path}"
    how = "GET" if body is None else "POST"
    reply = httpx.request(how, url, json=body, auth=user(workspace), timeout=30)
    return reply.raise_for_status().json()


def processes(platform):
    """What runs in both clones."""
    place = str(platform[0].folder.parent)
    known = psutil.process_iter(["cwd", "cmdline"])
    return [each for each in known if (each.info["cwd"] or "").startswith(place)]


def listening(platform):
    """The addresses that what runs in both clones listens on."""
    found = set()
    for process in processes(platform):
        with contextlib.suppress(psutil.NoSuchProcess):
            for each in process.net_connections("tcp"):
                if each.status == psutil.CONN_LISTEN:
                    found.add(tuple(each.laddr))
    return found


def on_loopback(workspace, *names):
    """The addresses that servers are to listen on, by the variables that hold their ports."""
    return {("127.0.0.1", int(workspace.environment[name])) for name in names}


def end(worker):
    """Stop an agent as `make down` stops workers: Prefect's may hang in its own shutdown."""
    os.killpg(worker.pid, signal.SIGTERM)
    try:
        worker.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)


def said_by(agent):
    """Where the agent's worker writes what it says."""
    return agent.folder.parent / "worker.log"


def elsewhere(coordinator, ports):
    """Another clone with a home of its own, which knows the servers and the store."""
    coordinator.environment |= {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{ports['MLFLOW_PORT']}",
        "PREFECT_API_URL": f"http://127.0.0.1:{ports['PREFECT_PORT']}/api",
    }
    place = coordinator.folder.parent / "elsewhere"
    place.mkdir()
    agent = type(coordinator)(place / "clone")
    coordinator.run("git", "clone", "-q", str(coordinator.folder), str(agent.folder))
    known = ("AWS", "MLFLOW_TRACKING", "PREFECT_API")
    keys = [name for name in coordinator.environment if name.startswith(known)]
    agent.environment |= {name: coordinator.environment[name] for name in keys}
    agent.link_environment()
    agent.follow("second-machine.md", "agent$", 0, 1)
    return agent


@pytest.fixture
def browser(platform, tmp_path):
    """Chromium, which knows the password."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for name in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        "window-size=1300,1500", f"user-data-dir={tmp_path}/chromium",
    ):  # fmt: skip
        options.add_argument(f"--{name}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    told = base64.b64encode(":".join(user(platform[0])).encode()).decode()
    driver.execute_cdp_cmd("Network.enable", {})
    headers = {"headers": {"Authorization": f"Basic {told}"}}
    driver.execute_cdp_cmd("Network.setExtraHTTPHeaders", headers)
    yield driver
    driver.quit()


def set_alias(driver, workspace, version, alias):
    """Do in MLflow's page what a person does to promote a version."""
    wait = WebDriverWait(driver, 60)

    def shown(selector):
        return wait.until(expected_conditions.element_to_be_clickable((By.CSS_SELECTOR, selector)))

    server = workspace.environment["MLFLOW_TRACKING_URI"]
    driver.get(f"{server}/#/models/slimderm/versions/{version}")
    shown("[data-component-id*='modelversionviewaliaseditor']").click()
    field = shown("[role=dialog] input")
    field.send_keys(alias)
    field.send_keys(Keys.ENTER)
    shown("[data-component-id='mlflow.edit-aliases-modal.save-button']").click()
    wait.until(lambda driver: f"@ {alias}" in driver.find_element(By.TAG_NAME, "body").text)


def run_scheduled(workspace):
    """Submit the scheduled deployment as the page says, and follow it to its end."""
    (said,) = workspace.follow("second-machine.md", "coordinator$", 2)
    return ended(workspace, re.search(r"UUID: (\S+)", said)[1])


def ended(workspace, run):
    """Follow a flow run to its end."""
    deadline = time.monotonic() + 1800
    while time.monotonic() < deadline:
        found = ask(workspace, f"/flow_runs/{run}")
        if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            return found
        time.sleep(2)
    raise AssertionError(found)


@pytest.fixture(scope="module")
def ran(platform):
    return run_scheduled(platform[0])


@pytest.fixture(scope="module")
def champion(platform, ran):
    """Version 1 is the champion: set in MLflow's page above, or here where there is no Chromium."""
    coordinator, _ = platform
    server = coordinator.environment["MLFLOW_TRACKING_URI"]
    place = f"{server}/api/2.0/mlflow/registered-models/alias"
    alias = {"name": "slimderm", "alias": "champion"}
    if httpx.get(place, params=alias, auth=user(coordinator)).is_error:
        wanted = alias | {"version": "1"}
        httpx.post(place, json=wanted, auth=user(coordinator)).raise_for_status()
        coordinator.run("python", "-m", "slimderm", "review")


def deployments(workspace):
    return ask(workspace, "/deployments/filter", {})


def logs(workspace):
    return {path.name: path.read_text() for path in (workspace.folder / ".servers").glob("*.log")}


def test_both_servers_ask_for_a_password_and_listen_on_loopback_alone(platform):
    coordinator, _ = platform
    known = coordinator.environment
    for page in (
        f"{known['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/experiments/get?experiment_id=0",
        f"{known['PREFECT_API_URL']}/admin/version",
    ):
        assert httpx.get(page).status_code == 401
        assert httpx.get(page, auth=user(coordinator)).status_code == 200
    heard = listening(platform)
    assert heard >= on_loopback(coordinator, "MLFLOW_PORT", "PREFECT_PORT")
    assert {address for address, _ in heard} == {"127.0.0.1"}


def test_the_scheduled_deployment_ends_with_a_registered_model(platform, ran):
    coordinator, _ = platform
    assert ran["state_type"] == "COMPLETED", logs(coordinator)
    registry = json.loads((coordinator.folder / "data/registry.json").read_text())
    accepted = {entry["network"] for entry in registry["accepted"]}
    ended = {sentence.split()[0] for sentence in registry["endings"]}  # by a machine's rounding
    assert "lenet5" in accepted
    assert accepted | ended == {"lenet5", "custom1"}
    review = json.loads((coordinator.folder / "data/review.json").read_text())
    assert review["challenger"]["version"] == registry["challenger"]["version"]
    shipped = coordinator.folder / "data/edge/challenger"
    ledger = json.loads((shipped / "ledger.json").read_text())
    content = (shipped / ledger["artefact"]).read_bytes()
    assert ledger["sha256"] == hashlib.sha256(content).hexdigest()
    assert "latency" not in ledger  # which would differ in each clone
    clean = coordinator.run("dvc", "status").stdout.strip()
    assert clean == "Data and pipelines are up to date."


def test_one_run_at_a_time_writes_dvc_lock_and_one_training_runs_on_a_gpu(platform, ran):
    coordinator, agent = platform
    assert ask(coordinator, "/work_pools/cpu/queues/writer")["concurrency_limit"] == 1
    queues = {each["name"]: each["work_queue_name"] for each in deployments(coordinator)}
    assert {name for name, queue in queues.items() if queue != "writer"} == {
        "agent",
        "batch",
        "watch",
    }
    known = [each.info for each in processes(platform)]
    gpu = [each for each in known if {"--pool", "gpu"} <= set(each["cmdline"] or ())]
    assert str(agent.folder) in {each["cwd"] for each in gpu}
    for command in (each["cmdline"] for each in gpu):
        assert command[command.index("--limit") + 1] == "1"


def test_networks_trained_on_both_agents_and_nowhere_else(platform, ran):
    coordinator, agent = platform
    folders = [coordinator.folder / ".agent", agent.folder / ".agent"]
    found = [list((folder / ".cache").rglob("model.keras")) for folder in folders]
    assert all(found)
    assert not list((coordinator.folder / ".cache").rglob("model.keras"))
    runs = ask(coordinator, "/flow_runs/filter", {"flows": {"name": {"any_": ["agent"]}}})
    stages = {"train@lenet5", "train@custom1", "prune@lenet5", "prune@custom1"}
    assert {run["name"] for run in runs} == stages
    assert {run["state_type"] for run in runs} == {"COMPLETED"}


def test_a_search_trains_its_recipes_on_agents_and_changes_no_file_of_the_clone(platform, ran):
    coordinator, _ = platform
    status = ("git", "status", "--porcelain")
    before = (coordinator.folder / "dvc.lock").read_bytes(), coordinator.run(*status).stdout
    command = ["python", "-m", "slimderm", "search", "lenet5", "--agents", "--json"]
    options = {"--recipes": "2", "--rungs": "1", "--epochs": "1"}
    asked = [*command, *(word for option in options.items() for word in option)]
    front = json.loads(coordinator.run(*asked).stdout)
    table = pd.read_csv(coordinator.folder / "reports/search/lenet5/recipes.csv")
    assert len(table) == 2
    assert {each["notation"] for each in front} == set(table["notation"][table["front"]])
    body = {"flow_runs": {"name": {"like_": "slim@recipe"}}}
    jobs = ask(coordinator, "/flow_runs/filter", body)
    assert {run["name"] for run in jobs} == {"slim@recipe1", "slim@recipe2"}
    assert json.loads(coordinator.run(*asked).stdout) == front  # the jobs are found again
    assert len(ask(coordinator, "/flow_runs/filter", body)) == len(jobs)
    after = (coordinator.folder / "dvc.lock").read_bytes(), coordinator.run(*status).stdout
    assert after == before
    made = coordinator.folder / ".search/models/slim/recipe1/passes"
    assert list(made.rglob("model.slim"))


def test_a_run_with_other_values_trains_on_agents_and_changes_no_file_of_the_clone(platform, ran):
    coordinator, _ = platform
    (scheduled,) = (each for each in deployments(coordinator) if each["name"] == "scheduled")
    status = ("git", "status", "--porcelain")
    before = (coordinator.folder / "dvc.lock").read_bytes(), coordinator.run(*status).stdout
    since = pd.Timestamp.now("UTC")
    given = {"parameters": {"agents": True, "networks": ["lenet5"], "epochs": 1}}
    run = ask(coordinator, f"/deployments/{scheduled['id']}/create_flow_run", given)
    found = ended(coordinator, run["id"])
    assert found["state_type"] == "COMPLETED", logs(coordinator)
    assert ", networks lenet5, epochs 1, gates: " in found["name"]
    runs = ask(coordinator, "/flow_runs/filter", {"flows": {"name": {"any_": ["agent"]}}})
    jobs = [run["name"] for run in runs if pd.Timestamp(run["start_time"]) > since]
    assert sorted(jobs) == ["prune@lenet5", "train@lenet5"]
    trained = coordinator.folder / ".trial/models/lenet5/baseline/compressed"
    assert len(pd.read_csv(trained / "history.csv")) == 1  # epochs; two in the clone itself
    after = (coordinator.folder / "dvc.lock").read_bytes(), coordinator.run(*status).stdout
    assert after == before


def test_schedules_make_runs_and_forms_have_descriptions(platform, ran):
    coordinator, _ = platform
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    assert ask(coordinator, "/flow_runs/filter", body)
    known = deployments(coordinator)
    names = sorted(each["name"] for each in known)
    assert names == sorted(["scheduled", "agent", "batch", "watch", *STAGES])
    for deployment in known:
        form = deployment["parameter_openapi_schema"]["properties"]
        assert all(entry.get("description") for entry in form.values()), deployment["name"]


def test_a_second_scheduled_run_finds_nothing_to_do(platform, ran):
    coordinator, _ = platform
    before = pd.Timestamp.now("UTC")
    again = run_scheduled(coordinator)
    assert again["state_type"] == "COMPLETED"
    assert ", gates: challenger " in again["name"]  # it was reviewed all the same
    body = {"flows": {"name": {"any_": ["agent"]}}}
    starts = [run["start_time"] for run in ask(coordinator, "/flow_runs/filter", body)]
    assert all(pd.Timestamp(start) < before for start in starts)


def test_lineage_leads_from_the_model_to_its_flow_run_and_back(platform, ran):
    coordinator, _ = platform
    registry = json.loads((coordinator.folder / "data/registry.json").read_text())
    version = registry["challenger"]["version"]
    said = coordinator.run("python", "-m", "slimderm", "lineage", f"slimderm/{version}").stdout
    commit = coordinator.run("git", "rev-parse", "HEAD").stdout.strip()
    assert commit in said
    run = next(line.split()[-1] for line in said.splitlines() if "Prefect flow run" in line)
    assert ask(coordinator, f"/flow_runs/{run}")["name"].startswith("prune@")
    back = coordinator.run("python", "-m", "slimderm", "lineage", "--of", commit[:12]).stdout
    assert f"version {version}," in back


def test_an_alias_set_in_mlflows_page_past_the_gates_fails_the_next_run_and_is_not_served(
    platform, ran, browser
):
    coordinator, _ = platform
    registry = coordinator.folder / "mlflow/registry.yaml"
    text = registry.read_text()
    registry.write_text(text.replace("max_bytes: 10000000", "max_bytes: 10"))
    set_alias(browser, coordinator, "1", "champion")
    failed = run_scheduled(coordinator)
    assert failed["state_type"] == "FAILED"
    assert "fails its gates: bytes is" in failed["state"]["message"]
    assert "champion 1 failed" in failed["name"].partition("gates: ")[2]
    body = {"artifacts": {"key": {"any_": ["gates"]}, "flow_run_id": {"any_": [failed["id"]]}}}
    (gates,) = ask(coordinator, "/artifacts/filter", body)
    assert "bytes is" in gates["data"]
    image = next((coordinator.folder / "data/raw/images").glob("*.jpg"))
    refused = coordinator.run("python", "-m", "slimderm", "predict", str(image), check=False)
    assert refused.returncode == 1
    assert "is not served" in refused.stdout
    registry.write_text(text)
    assert run_scheduled(coordinator)["state_type"] == "COMPLETED"
    assert "champion" in coordinator.run("python", "-m", "slimderm", "predict", str(image)).stdout


def test_the_links_of_a_run_lead_to_mlflows_pages_of_it(platform, ran, browser):
    coordinator, _ = platform
    wanted = {"artifacts": {"key": {"any_": ["pipeline"]}}}
    made = ask(coordinator, "/artifacts/filter", wanted | {"sort": "UPDATED_DESC"})
    text = next(each["data"] for each in made if each["flow_run_id"] == ran["id"])
    runs, model, report = re.findall(r"\]\((http[^)]+)\)", text)
    script = (
        "import mlflow; print(*(run.info.run_name.split(' (')[0] for run in mlflow.search_runs("
        "experiment_names=['slimderm'], output_format='list', filter_string="
        f"\"tags.`prefect.root_flow_run` = '{ran['id']}'\")), sep='\\n')"
    )
    names = coordinator.run("python", "-c", script).stdout.split("\n")[:-1]
    assert {"report", "lenet5 original", "custom1 compressed"} <= set(names)  # of the agents, too
    # The page folds a network's trainings away under the network.
    places = {
        runs: [f"{len(names)} matching runs"],
        model: ["Version 1", "Version 2"],
        report: ["report", "index.html"],
    }
    for page, expected in places.items():
        browser.get(page)
        WebDriverWait(browser, 60).until(
            lambda driver, expected=expected: all(
                text in driver.find_element(By.TAG_NAME, "body").text for text in expected
            )
        )


def test_the_page_on_promotion_runs_and_promotions_say_who_when_and_why(platform, champion):
    coordinator, _ = platform
    review, promote, predict, rollback, batch, lineage, back, backfill = coordinator.follow(
        "promotion.md", "coordinator$"
    )
    assert "all gates passed" in review
    assert "is the champion" in promote
    assert "(champion, " in predict
    assert "version 1 is the champion" in rollback
    assert "104 images in probabilities.csv, 0 that could not be read" in batch
    table = pd.read_csv(coordinator.folder / "probabilities.csv")
    assert set(table["model"]) == {"slimderm/1"}
    assert coordinator.run("git", "rev-parse", "HEAD").stdout.strip() in lineage
    assert "slimderm version 1," in back
    assert "on record" in backfill
    script = (
        "import json; from slimderm.flows.config.params import read_params;"
        "from slimderm.flows.record.mlflow_store import Tracker;"
        "from slimderm.flows.record.registry import Registry;"
        "print(json.dumps(Registry(Tracker(read_params().record)).promotions.all()))"
    )
    kept = json.loads(coordinator.run("python", "-c", script).stdout)
    assert [entry["version"] for entry in kept] == ["1", "2", "1"]
    said = ["not said", "half the size, not inferior", "it misses melanomas on the new camera"]
    assert [entry["why"] for entry in kept] == said
    assert [entry["by"] for entry in kept] == [UNSEEN, "ada", "ada"]


def test_the_champion_is_served_over_http_and_answers_as_the_model_does(
    platform, champion, free_port
):
    coordinator, _ = platform
    port = free_port()
    image = next((coordinator.folder / "data/raw/images").glob("*.jpg"))
    text = base64.b64encode(image.read_bytes()).decode()
    person = {"age": 45, "sex": "female", "localization": "back"}
    asked = {"image": text, **person}
    coordinator.environment["SERVE_PORT"] = port
    with coordinator.start("python", "-m", "slimderm", "serve") as server:
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2).close()
                    break
                except OSError:
                    assert server.poll() is None, server.stdout.read()
                    time.sleep(0.5)
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/predict/base64",
                data=json.dumps(asked).encode(),
                headers={"content-type": "application/json"},
            )
            answer = json.load(urllib.request.urlopen(request, timeout=60))
            heard = listening(platform)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
    names = ("MLFLOW_PORT", "PREFECT_PORT", "SERVE_PORT")
    assert heard >= on_loopback(coordinator, *names)
    assert {address for address, _ in heard} == {"127.0.0.1"}
    options = ["--age", "45", "--sex", "female", "--site", "back", "--json"]
    said = coordinator.run("python", "-m", "slimderm", "predict", str(image), *options)
    expected = json.loads(said.stdout)["probabilities"]
    assert answer["probabilities"] == pytest.approx(expected, abs=1e-4)
    assert answer["predicted"] == max(expected, key=expected.get)
    assert answer["model"]["calibrated"] is True


def test_a_new_server_is_filled_from_the_outputs(platform, ran, tmp_path):
    coordinator, _ = platform
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/new.db"}
    coordinator.run("python", "-m", "slimderm", "backfill", **store)
    script = (
        "import mlflow; c = mlflow.MlflowClient();"
        "print(len(c.search_model_versions(\"name = 'slimderm'\")))"
    )
    old = coordinator.run("python", "-c", script).stdout
    assert coordinator.run("python", "-c", script, **store).stdout == old


def test_the_page_on_s3_runs(platform, ran, store):
    coordinator, _ = platform
    before = sorted((coordinator.folder / "data/raw").rglob("*"))
    commands = coordinator.commands("s3.md")
    assert commands[0].startswith("export ")
    shutil.rmtree(coordinator.folder / "data/raw")
    coordinator.follow("s3.md", "$", 1)
    assert sorted((coordinator.folder / "data/raw").rglob("*")) == before
    assert store.refused_headers == set()


def s3(store, **settings):
    known = store.environment()
    return boto3.client(
        "s3",
        endpoint_url=known["AWS_ENDPOINT_URL"],
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
        region_name=known["AWS_DEFAULT_REGION"],
        config=Config(**settings),
    )


def kept(postgres, store, secret):
    """What both databases and the bucket hold: its name, its bytes."""
    dump = [postgres.programs / "pg_dump", "-h", "127.0.0.1", "-p", postgres.port, "-U", "slimderm"]
    for database in ("mlflow", "prefect"):
        known = {**os.environ, "PGPASSWORD": secret}
        done = subprocess.run([*dump, database], env=known, capture_output=True, check=True)
        yield database, done.stdout
    client = s3(store)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="lesions"):
        for entry in page["Contents"]:
            yield entry["Key"], client.get_object(Bucket="lesions", Key=entry["Key"])["Body"].read()


def test_no_secret_is_written_anywhere(platform, ran, postgres, store, secret):
    coordinator, agent = platform
    held = dict(kept(postgres, store, secret))
    assert b"COPY public.flow_run " in held["prefect"]
    assert b"COPY public.registered_models " in held["mlflow"]
    assert len({name.split("/")[0] for name in held}) == 4  # the databases, versions and artifacts
    forms = [secret.encode(), base64.b64encode(":".join(user(coordinator)).encode())]
    for name, text in held.items():
        assert not [form for form in forms if form in text], name
    assert "@" in said_by(agent).read_text()  # names of stages
    for workspace in (coordinator, agent):
        for path in workspace.folder.parent.rglob("*"):
            if path.is_file():
                text = path.read_bytes()
                assert not [form for form in forms if form in text], path
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = process.read_bytes()
        except OSError:
            continue  # it ended meanwhile
        assert not [form for form in forms if form in text]


def test_the_store_got_no_header_that_others_than_amazons_refuse(platform, ran, store):
    assert store.refused_headers == set()
    s3(store).create_bucket(Bucket="probe")
    client = s3(store, request_checksum_calculation="when_supported")
    client.put_object(Bucket="probe", Key="probe", Body=b"")
    assert "x-amz-sdk-checksum-algorithm" in store.refused_headers
