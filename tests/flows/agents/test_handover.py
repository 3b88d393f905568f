"""What an agent hands back, through a real Prefect server."""

import json
import sys

import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.agents.handover import version_of

ENTRY = {
    "cmd": "python -m slimderm.flows.steps train lenet5",
    "deps": [{"path": "data/splits.csv", "hash": "md5", "md5": "0" * 32, "size": 5}],
    "params": {"params.yaml": {"train": {"patience": None, "learning_rate": 0.002, "seed": 0}}},
    "outs": [{"path": "models/lenet5/baseline", "md5": "1" * 32, "size": 2_500_000, "nfiles": 8}],
}
FLOW = """\
import json, sys
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from slimderm.flows.agents.handover import hand_back, look_up, version_of
from slimderm.flows.servers.embedded import embedded_server

@flow
def agent():
    hand_back("train@lenet5", json.loads(sys.argv[1]), "```yaml | of MLflow")
    return flow_run.id

@flow
def coordinator():
    run, data = look_up(agent())
    with get_client(sync_client=True) as client:
        pages = [each.data for each in client.read_artifacts() if each.type == "markdown"]
    print(json.dumps([run.state.name, version_of(data), pages]))

with embedded_server():
    coordinator()
"""


@pytest.mark.slow
@pytest.mark.integration
def test_an_entry_arrives_as_it_was_sent_beside_a_page_for_people(make_workspace):
    done = make_workspace().run(sys.executable, "-c", FLOW, json.dumps(ENTRY))
    state, version, (page,) = json.loads(done.stdout.splitlines()[0])
    assert state == "Completed"
    assert version == {"train@lenet5": ENTRY}
    assert "| `models/lenet5/baseline` | 2.50 | 8 |" in page
    assert page.endswith("```yaml | of MLflow")


@pytest.mark.parametrize("data", [None, "no JSON", "[1]", '[{"stage": "train@lenet5"}]'])
def test_other_data_are_refused(data):
    with pytest.raises(RecordError, match="expected stages and their entries"):
        version_of(data)
