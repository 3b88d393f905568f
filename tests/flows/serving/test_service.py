"""The service, asked without a network between: answers, refusals, promotions, what it counts."""

import asyncio
import base64
import gc
import random
from pathlib import Path

import cv2
import httpx
import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from slimderm.components.classification.classifier import Classifier
from slimderm.components.common.errors import ParameterError, RecordError
from slimderm.flows.serving.service.answers import Person, answer
from slimderm.flows.serving.service.app import make_app
from slimderm.flows.serving.service.champion import Champion, Served
from slimderm.flows.serving.service.counts import Counts
from slimderm.flows.serving.service.guard import Guard
from slimderm.flows.serving.service.settings import ServiceSettings
from tests.flows.serving.example import DESCRIPTION

SKIN = np.random.default_rng(0).integers(-40, 40, (24, 30, 3)) + np.array([190, 140, 120])
FILE = cv2.imencode(".jpg", SKIN.astype(np.uint8)[..., ::-1])[1].tobytes()
PERSON = {"age": 45, "sex": "female", "localization": "back"}


@pytest.fixture(scope="module")
def registry(store, network):
    """Two versions, which differ in their weights and temperatures; the first is the champion."""
    registry, _ = store
    tracker = registry.tracker
    for number, temperature in (("1", 1.5), ("2", 2.5)):
        model = network()
        model.set_weights([weight * int(number) for weight in model.get_weights()])
        model.save("model.keras")
        with tracker.child(tracker.parent("p", "lenet5", {}), number, "R1", {}) as run:
            run.model(Path("model.keras"), DESCRIPTION)
        registry.register(number, {})
        version = registry.version(number)
        registry.tag(version, {"gates": "passed"})
        registry.calibrate(version, temperature)
    registry.promotions.promote(registry.version("1"), "the first")
    return registry


@pytest.fixture(scope="module")
def champion(registry):
    return Champion(lambda: registry)


@pytest.fixture
def client(champion):
    """Asks a service of the given settings."""

    def make(**settings):
        return TestClient(make_app(champion, ServiceSettings(**settings), stop=pytest.fail))

    return make


def expected(network, number, temperature):
    model = network()
    model.set_weights([weight * number for weight in model.get_weights()])
    row = {"image": FILE, **PERSON}
    found = Classifier(model, DESCRIPTION, temperature).classify(pd.DataFrame([row]))
    return {name: found[name][0] for name in DESCRIPTION["classes"]}


def test_a_file_and_base64_are_answered_as_the_network_does(client, network):
    asked = client()
    wanted = expected(network, 1, 1.5)
    as_file = asked.post("/predict", files={"image": FILE}, data=PERSON)
    as_text = asked.post(
        "/predict/base64", json=PERSON | {"image": base64.b64encode(FILE).decode()}
    )
    for reply in (as_file, as_text):
        assert reply.status_code == 200, reply.text
        said = reply.json()
        assert said["probabilities"] == pytest.approx(wanted, abs=1e-6)
        assert said["predicted"] == max(wanted, key=wanted.get)
        assert said["warnings"] == []
        assert said["model"]["version"] == "1"
        assert said["model"]["calibrated"] is True
        assert said["model"]["sexes"] == ["unknown", "female", "male"]
        assert "Not a medical device" in said["note"]
    unknown = asked.post("/predict", files={"image": FILE}).json()
    assert unknown["warnings"] == []
    assert unknown["probabilities"] != said["probabilities"]


def test_what_the_model_does_not_know_is_named(client):
    dark = cv2.imencode(".png", np.full((6, 40, 3), 20, np.uint8))[1].tobytes()
    said = client().post(
        "/predict", files={"image": dark}, data={"localization": "moon"}
    ).json()  # fmt: skip
    words = "\n".join(said["warnings"])
    assert "localization: 'moon' is not one of back, face; taken as unknown" in words
    for part in ("very dark (mean brightness 20", "blurred", "colour of skin (0%)", "smaller"):
        assert part in words
    assert "oddly long, 40×6 pixels" in words


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"data": {"age": "old"}}, "age: received 'old', expected years from 0 to 120"),
        ({"data": {"age": "-1"}}, "age: received -1.0, expected years from 0 to 120"),
        ({"files": {"image": b"no image"}}, "image: "),
        ({"files": {}}, "image: received"),
    ],
)
def test_what_is_wrong_is_said(client, more, said):
    reply = client().post("/predict", **({"files": {"image": FILE}} | more))
    assert reply.status_code == 400
    assert said in reply.json()["message"]


def test_a_token_is_asked_for_where_one_is_set(client):
    asked = client(token="öffne dich")
    assert asked.get("/health").status_code == 200
    assert asked.get("/ready").json()["status"] == "ready"
    for path in ("/", "/docs"):
        assert asked.get(path).status_code == 200
    assert asked.get("/metrics").status_code == 401
    assert asked.post("/predict", files={"image": FILE}).status_code == 401
    headers = {"Authorization": "Bearer öffne dich".encode()}
    assert asked.get("/model", headers=headers).json()["version"] == "1"
    assert asked.get("/model", headers={"Authorization": "Bearer x"}).status_code == 401


def test_size_and_rate_are_limited(client):
    small = client(max_mb=0.001)
    assert small.post("/predict", files={"image": bytes(2000)}).status_code == 413
    whole = small.build_request("POST", "/predict", files={"image": bytes(2000)})
    body, kind = whole.read(), {"content-type": whole.headers["content-type"]}
    pieces = (body[start : start + 100] for start in range(0, len(body), 100))
    in_pieces = small.post("/predict", content=pieces, headers=kind)
    assert in_pieces.status_code == 413
    assert "expected 0.001 MB at most" in in_pieces.json()["message"]
    seldom = client(rate="2/hour")
    codes = [seldom.post("/predict", files={"image": FILE}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert seldom.get("/health").status_code == 200


def test_more_requests_than_may_wait_are_sent_away():
    free = asyncio.Event()

    async def slow(scope, receive, send):
        await free.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def ask():
        guard = Guard(slow, ServiceSettings(at_once=2, waiting=2), Counts())
        transport = httpx.ASGITransport(app=guard)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asked = [asyncio.create_task(client.post("/predict")) for _ in range(6)]
            while sum(task.done() for task in asked) < 2:
                await asyncio.sleep(0)
            free.set()
            return [reply.status_code for reply in await asyncio.gather(*asked)]

    assert sorted(asyncio.run(ask())) == [200, 200, 200, 200, 503, 503]


def test_other_sites_may_ask_where_they_are_named(client):
    headers = {"Origin": "https://clinic.example"}
    refused = client().get("/model", headers=headers)
    assert "access-control-allow-origin" not in refused.headers
    allowed = client(origins="https://clinic.example").get("/model", headers=headers)
    assert allowed.headers["access-control-allow-origin"] == "https://clinic.example"


def test_pages_bring_all_that_they_load(client):
    asked = client()
    page = asked.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert all(asked.get(f"/page.{kind}").status_code == 200 for kind in ("js", "css"))
    for path in ("/", "/docs"):
        text = asked.get(path).text
        assert "http://" not in text
        assert "https://" not in text
    schema = asked.get("/openapi.json").json()
    assert {"/predict", "/predict/base64", "/model"} <= set(schema["paths"])
    assert schema["components"]["schemas"]["Asked"]["properties"]["age"]["examples"] == [45]


def test_requests_and_predictions_are_counted(client):
    asked = client()
    asked.post("/predict", files={"image": FILE})
    asked.post("/predict", files={"image": b"none"})
    asked.get("/nowhere")
    families = text_string_to_metric_families(asked.get("/metrics").text)
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }
    assert found["slimderm_requests_total", "/predict", "200"] == 1
    assert found["slimderm_requests_total", "/predict", "400"] == 1
    assert found["slimderm_requests_total", "404", "other"] == 1
    assert found["slimderm_request_seconds_count", "/predict"] == 2
    counted = [value for key, value in found.items() if key[0] == "slimderm_predictions_total"]
    assert sum(counted) == 1
    assert found["slimderm_model_version", "slimderm"] == 1


def test_a_promotion_is_noticed_and_what_may_not_be_served_is_not(registry, network):
    champion = Champion(lambda: registry)
    asked = TestClient(make_app(champion, ServiceSettings(), stop=pytest.fail))
    before = champion.now
    assert champion.look() is False
    try:
        registry.promotions.promote(registry.version("2"), "the second")
        assert champion.look() is True
        said = asked.post("/predict", files={"image": FILE}, data=PERSON).json()
        assert said["model"]["version"] == "2"
        assert said["probabilities"] == pytest.approx(expected(network, 2, 2.5), abs=1e-6)
        assert before.version == "1"  # what a request under way still holds
        registry.tag(registry.version("2"), {"gates": "failed", "gates.reason": "too large"})
        assert champion.look() is False
        assert "is not served: too large" in asked.get("/ready").json()["fault"]
        assert asked.get("/model").json()["version"] == "2"
        with pytest.raises(RecordError, match="is not served"):
            Champion(lambda: registry)
    finally:
        registry.tag(registry.version("2"), {"gates": "passed"})
        registry.promotions.promote(registry.version("1"), "back")


# Starlette leaves files of forms that end too early to the garbage collector.
@pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning")
def test_malformed_requests_are_refused_and_break_nothing(client):
    asked = client(rate="100000/minute")
    whole = asked.build_request("POST", "/predict", files={"image": FILE}, data=PERSON)
    body, kind = whole.read(), whole.headers["content-type"]
    text = base64.b64encode(FILE).decode()
    json_body = httpx.Request("POST", "http://x", json=PERSON | {"image": text}).read()
    draw = random.Random(0)
    statuses = set()
    for number in range(500):
        path, given, how = (
            ("/predict", body, kind) if number % 2 else
            ("/predict/base64", json_body, "application/json")
        )  # fmt: skip
        mutant = bytearray(given)
        for _ in range(draw.randint(1, 8)):
            place = draw.randrange(len(mutant))
            if draw.random() < 0.3:
                del mutant[place : place + draw.randint(1, 200)]
            else:
                mutant[place] = draw.randrange(256)
        reply = asked.post(path, content=bytes(mutant), headers={"content-type": how})
        assert reply.status_code in (200, 400), reply.text
        assert "Traceback" not in reply.text
        statuses.add(reply.status_code)
    gc.collect()
    assert statuses == {200, 400}
    assert asked.post("/predict", files={"image": FILE}, data=PERSON).status_code == 200


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("SERVE_PORT", "x", "SERVE_PORT: received 'x', expected a whole number"),
        ("SERVE_AT_ONCE", "0", "SERVE_AT_ONCE: received 0, expected a number above 0"),
        ("SERVE_RATE", "often", "SERVE_RATE: received 'often', expected a number and a time"),
    ],
)
def test_a_setting_that_is_wrong_is_named(name, text, said):
    with pytest.raises(ParameterError) as caught:
        ServiceSettings.read({name: text})
    assert said in str(caught.value)


def test_a_network_of_images_alone_says_what_it_does_not_read():
    import keras

    image = keras.Input((8, 10, 3), name="image")
    said = keras.layers.Dense(2, "softmax")(keras.layers.GlobalAveragePooling2D()(image))
    told = {**DESCRIPTION, "image_only": True}
    model = Classifier(keras.Model({"image": image}, said), told)
    served = Served(model, "slimderm", "1", "")
    found = answer(served, FILE, Person(age=45, sex=None, localization="back"))
    assert found.warnings == ["age, localization: not read, this network sees images alone"]
    assert answer(served, FILE, Person()).warnings == []
    assert found.model.sexes == []
    assert found.model.calibrated is False
