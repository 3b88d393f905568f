"""Promotions and verdicts on a real MLflow store; only what predicting takes is drawn small."""

import json
import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from slimderm.components.common.errors import IncomparableError, RecordError
from slimderm.flows import pipeline
from slimderm.flows.config.params import RecordSettings
from slimderm.flows.config.registry_policy import ShipSettings
from slimderm.flows.record import alias_moves
from slimderm.flows.record.alias_moves import UNSEEN
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.promotions import GATES_TAG
from slimderm.flows.record.registry import Registry
from slimderm.flows.steps import review as review_step
from slimderm.flows.work import promotion, reviewing, shipped_version
from slimderm.flows.work import reviewer as judging
from slimderm.flows.work.model_page import describe_model

CLASSES = ("melanoma", "nevus")
SIZE = (4, 5)


@pytest.fixture
def record(empty_record, tmp_path, monkeypatch, with_policy):
    """A registry in an empty folder, which the flows under test find, too."""
    empty_record(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    with_policy(tmp_path)
    params = SimpleNamespace(record=RecordSettings(tracking_uri=f"sqlite:///{tmp_path}/mlflow.db"))
    monkeypatch.setattr(promotion, "read_params", lambda: params)
    return Registry(Tracker(params.record))


def add(record, gates="passed"):
    """Register a version that holds no model; return its number."""
    tracker = record.tracker
    if not tracker.client.search_registered_models():
        tracker.client.create_registered_model(record.name)
    run = tracker.client.create_run(tracker.experiment_id)
    version = tracker.client.create_model_version(record.name, "none", run.info.run_id)
    record.tag(version, {GATES_TAG: gates, "gates.reason": f"gates {gates}", "gates.against": "?"})
    return str(version.version)


def made_champion(record, *numbers):
    for number in numbers:
        record.promotions.promote(record.version(number), "why")


def before(record, number):
    found = record.promotions.before(record.version(number))
    return found and str(found.version)


def history(record):
    return [entry["version"] for entry in record.promotions.all()]


@pytest.fixture
def verdicts(record, monkeypatch):
    """Judging by a table of version to gates; keeps who was judged against whom."""
    table, asked = {}, []

    def judged(params, registry, version, reference):
        number = str(version.version)
        asked.append((number, reference and str(reference.version)))
        gates = table.get(number, "passed")
        if isinstance(gates, Exception):
            raise gates
        registry.tag(version, {GATES_TAG: gates, "gates.reason": f"judged {gates}"})
        return {"version": number, "gates": gates, "reason": f"judged {gates}"}

    monkeypatch.setattr(reviewing, "judged", judged)
    monkeypatch.setattr(promotion, "judged", judged)
    return SimpleNamespace(table=table, asked=asked)


def test_a_version_rolled_back_is_not_the_measure_of_the_one_that_came_back(record, verdicts):
    one, two = add(record), add(record)
    made_champion(record, one, two)
    assert before(record, two) == one
    promotion.rollback()
    assert history(record) == [one, two, one]
    assert before(record, one) is None
    reviewing.review_registry(SimpleNamespace(record=record.tracker.settings))
    assert verdicts.asked == [(one, None)]
    with pytest.raises(RecordError, match="none to go back to"):
        promotion.rollback()
    assert history(record) == [one, two, one]


def test_each_rollback_goes_further_back(record):
    one, two, three = add(record), add(record), add(record)
    made_champion(record, one, two, three)
    assert str(promotion.rollback().version) == two
    assert str(promotion.rollback().version) == one
    made_champion(record, three)
    assert before(record, three) == two


def test_a_rollback_that_was_cut_short_ends_where_it_would_have(record, monkeypatch):
    one, two, three = add(record), add(record), add(record)
    made_champion(record, one, two, three)
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "set_alias", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            promotion.rollback()
    assert str(promotion.rollback().version) == two
    assert str(record.promotions.served().version) == two


def test_a_champion_replaced_while_it_was_judged_is_not_put_on_record_again(record):
    one, two = add(record), add(record)
    made_champion(record, one, two)
    record.promotions.notice(record.version(one))
    assert history(record) == [one, two]
    assert str(record.promotions.served().version) == two


def test_a_champion_with_shut_gates_or_deleted_is_passed_over(record):
    one, failed, gone, last = add(record), add(record, "failed"), add(record), add(record)
    made_champion(record, one, failed, gone, last)
    record.tracker.client.delete_model_version(record.name, gone)
    assert before(record, last) == one
    never = add(record)
    assert before(record, never) == last


def test_a_promotion_that_nobody_judged_is_not_served_whatever_an_earlier_verdict(record, verdicts):
    one, two = add(record), add(record)
    made_champion(record, one, two)
    assert str(record.promotions.served().version) == two
    record.set_alias("champion", one)
    with pytest.raises(RecordError, match="nobody has judged it yet"):
        record.promotions.served()
    reviewing.review_registry(SimpleNamespace(record=record.tracker.settings))
    assert str(record.promotions.served().version) == one
    assert record.promotions.all()[-1]["by"] == UNSEEN


def test_shut_gates_are_not_served_and_a_rollback_is(record):
    one, two = add(record), add(record, "failed")
    made_champion(record, one, two)
    with pytest.raises(RecordError, match="is not served: gates failed"):
        record.promotions.served()
    promotion.rollback()
    assert str(record.promotions.served().version) == one


def test_a_promotion_is_on_record_only_once_it_was_judged(record, verdicts):
    one = add(record)
    record.set_alias("champion", one)
    verdicts.table[one] = RecordError("the server went away")
    with pytest.raises(RecordError, match="went away"):
        reviewing.review_registry(SimpleNamespace(record=record.tracker.settings))
    assert history(record) == []


def test_promoting_what_has_the_alias_already_judges_it_and_keeps_who_and_why(record, verdicts):
    one, two = add(record), add(record)
    made_champion(record, one)
    record.set_alias("champion", two)
    verdicts.table[two] = "failed"
    with pytest.raises(RecordError, match="version 2 was not promoted: judged failed"):
        promotion.promote(two, "half the size")
    assert history(record) == [one]
    verdicts.table[two] = "passed"
    promotion.promote(two, "half the size")
    promotion.promote(two, "again")
    assert verdicts.asked == [(two, one)] * 3
    assert [entry["why"] for entry in record.promotions.all()] == ["why", "half the size"]
    assert record.promotions.all()[-1]["by"] != UNSEEN


def test_nobody_is_measured_by_a_champion_whose_gates_are_shut(record, verdicts):
    one, two, three = add(record), add(record), add(record)
    made_champion(record, one)
    record.set_alias("champion", two)
    verdicts.table[two] = "failed"
    promotion.promote(three)
    assert verdicts.asked == [(two, one), (three, one)]
    assert history(record) == [one, two, three]


def test_a_champion_that_cannot_be_judged_today_keeps_its_verdict_if_it_had_one(record, verdicts):
    one, two = add(record), add(record)
    made_champion(record, one)
    verdicts.table[one] = verdicts.table[two] = IncomparableError("other classes")
    params = SimpleNamespace(record=record.tracker.settings)
    found = reviewing.review_registry(params)["champion"]
    assert (found["gates"], found["reason"]) == ("passed", "other classes")
    record.set_alias("champion", two)
    assert reviewing.review_registry(params)["champion"]["gates"] == "failed"
    with pytest.raises(RecordError, match="is not served: other classes"):
        record.promotions.served()


def test_a_champion_of_unknown_making_is_refused_and_named(record, monkeypatch):
    params = SimpleNamespace(record=record.tracker.settings)
    monkeypatch.setattr(judging, "LesionSource", lambda *_: None)
    for number in (add(record), without_run(record)):
        record.set_alias("champion", number)
        found = reviewing.review_registry(params)["champion"]
        assert found["gates"] == "failed"
        assert "without the tags of the pipeline's step register" in found["reason"]
        with pytest.raises(RecordError, match="is not served"):
            record.promotions.served()


def without_run(record):
    """Register a version by its files alone, as somebody may in MLflow's page."""
    version = record.tracker.client.create_model_version(record.name, "none")
    return str(version.version)


@pytest.mark.parametrize("hours", [-5, 5])
def test_promotions_keep_their_order_when_a_clock_is_set(record, monkeypatch, hours):
    one, two = add(record), add(record)
    made_champion(record, one)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(hours=hours)

    with monkeypatch.context() as patch:
        patch.setattr(alias_moves, "datetime", Clock)
        made_champion(record, two)
    assert history(record) == [one, two]
    assert record.promotions.is_recorded(record.version(two))
    assert before(record, two) == one
    record.promotions.promote(record.version(one), "back")
    assert history(record) == [one, two, one]


def test_who_is_whom_the_server_knows(record, monkeypatch):
    one = add(record)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    made_champion(record, one)
    assert record.promotions.all()[0]["by"] == "ada"


def test_the_step_review_reviews_although_nothing_is_stale(monkeypatch):
    ran = []
    monkeypatch.setattr(pipeline, "recorded_by", lambda **_: nullcontext())
    monkeypatch.setattr(pipeline, "writing", nullcontext)
    monkeypatch.setattr(pipeline.dvc_lock, "stages", lambda: ["register", "review"])
    monkeypatch.setattr(pipeline, "run_stages", lambda wanted, ran, agents: None)
    monkeypatch.setattr(pipeline, "page_of_run", lambda key: nullcontext([]))
    monkeypatch.setattr(pipeline, "run_stage", ran.append)
    pipeline.step_of("register").fn()
    assert ran == []
    pipeline.step_of("review").fn()
    assert ran == ["review"]


def colour_model():
    """Melanoma where an image is bright."""
    image = keras.Input((*SIZE, 3), name="image")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    return keras.Model({"image": image}, keras.layers.Dense(2, activation="softmax")(mean))


@pytest.fixture
def reviewer(record, tmp_path, monkeypatch):
    """A reviewer of twelve images in two classes; splits lie in the folder ``cache``."""
    (tmp_path / "data/raw").mkdir(parents=True)
    rows = []
    for index, part in enumerate(("train", "validation", "test") * 4):
        label = CLASSES[index % 2]
        pixels = np.full((*SIZE, 3), 40 + 150 * (label == "melanoma"), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"data/raw/{index}.png")
        file = f"{index}.png"
        rows.append(
            {"file": file, "label": label, "lesion_id": str(index), "part": part, "copy": 0}
        )
    frame = pd.DataFrame(rows)
    (tmp_path / "cache").mkdir()
    for name in ("now", "old"):
        frame.to_csv(tmp_path / "cache" / name, index=False)
    frame.assign(part="train").to_csv(tmp_path / "cache/all", index=False)
    # In which what validates today trained, but for the lesions of rows 1 and 4.
    swapped = frame["part"].where(~frame["lesion_id"].isin(["7", "10"]), "train")
    frame.assign(part=swapped).to_csv(tmp_path / "cache/swapped", index=False)
    baseline = tmp_path / "models/lenet5/baseline/original"
    baseline.mkdir(parents=True)
    colour_model().save(baseline / "model.keras")
    (baseline / "record.json").write_text('{"key": "unpruned"}')
    tracker = record.tracker
    tags = {"dvc.splits.csv": "now"}
    with tracker.child(tracker.parent("p", "lenet5", {}), "unpruned", "original", tags):
        pass

    def rows_of(part):
        return frame[frame["part"] == part]

    description = {"classes": list(CLASSES), "size": list(SIZE), "variant": "original"}
    source = SimpleNamespace(
        classes=CLASSES, description=description, rows=rows_of, content={"data": "now"}
    )
    # Without a catalog there are no training images, so nothing is shipped, and no time is lost.
    record.settings = replace(record.settings, ship=ShipSettings(targets=("litert-static-int8",)))
    versions = SimpleNamespace(
        cached_file=lambda md5: path if (path := tmp_path / "cache" / md5).exists() else None,
    )
    monkeypatch.setattr(judging, "LesionSource", lambda params, variant: source)
    monkeypatch.setattr(judging, "data_versions", versions)
    return judging.Reviewer(None, record)


def train(record, classes, split):
    """Register a version with a model of some classes, trained on a split."""
    tracker = record.tracker
    key = f"{'-'.join(classes)} {split} {len(record.versions())}"
    code = {"mlflow.source.git.commit": "abc123", "git.dirty": "true"}
    tags = code | {"network": "lenet5", "dvc.splits.csv": split}
    with tracker.child(tracker.parent("p", "lenet5", {}), key, "R1", tags) as run:
        run.metrics({"bytes": 100, "latency_p50_ms": 1})
        description = {"classes": list(classes), "size": list(SIZE), "variant": "original"}
        colour_model().save("model.keras")
        run.model(Path("model.keras"), description | {"image_only": True})
    return record.version(record.register(key, {"network": "lenet5"}))


@pytest.mark.parametrize(
    ("classes", "split", "why"),
    [
        (CLASSES[::-1], "old", None),
        (("melanoma", "wart"), "old", "it knows the classes melanoma, wart, expected melanoma,"),
        (CLASSES, "lost", r"the split it was trained on \(lost\) is neither in"),
        (CLASSES, "all", "every lesion of the test part was seen in training"),
    ],
    ids=["comparable", "other classes", "lost split", "saw every lesion"],
)
def test_the_unpruned_network_stands_in_for_a_champion_that_cannot_be_compared(
    record, reviewer, classes, split, why
):
    champion, challenger = train(record, classes, split), train(record, CLASSES, "now")
    reviewer.review(challenger, champion)
    found = record.version(challenger.version)
    against = found.tags["gates.against"]
    if why is None:
        assert against == "version 1"
    else:
        assert re.match(f"the unpruned lenet5, because .*{why}", against)
    assert f"## Gates, against {against}\n" in found.description
    assert "`abc123 with uncommitted changes`" in found.description
    if why is not None:
        with pytest.raises(IncomparableError, match=why):
            reviewer.review(champion, None)


@pytest.mark.parametrize(
    ("split", "trained"),
    [("now", ["1", "4", "7", "10"]), ("swapped", ["1", "4"])],
)
def test_calibration_is_fitted_on_lesions_that_the_version_was_not_trained_on(
    record, reviewer, monkeypatch, split, trained
):
    asked = []
    read = judging.read_images
    monkeypatch.setattr(
        judging, "read_images", lambda rows, *told: asked.append(rows) or read(rows, *told)
    )
    version = train(record, CLASSES, split)
    reviewer.review(version, None)
    assert [list(each["lesion_id"]) for each in asked] == [trained]
    assert {part for each in asked for part in each["part"]} == {"validation"}


def test_gates_leave_augmented_copies_out_and_the_card_counts_them(record, reviewer):
    whole = reviewer.source.rows("test")
    with_copies = pd.concat([whole, whole.iloc[:2].assign(copy=1), whole.iloc[:1].assign(copy=2)])
    source, plain = reviewer.source, reviewer.source.rows
    version = train(record, CLASSES, "now")
    reviewer.review(version, None)
    before = record.version(version.version)
    source.rows = lambda part: with_copies if part == "test" else plain(part)
    reviewer.review(version, None)
    after = record.version(version.version)
    assert after.tags["gates.reason"] == before.tags["gates.reason"]
    paired = "Paired over 4 test images, lesions resampled whole."
    for version in (before, after):
        assert paired in version.description
    copies = "Their 3 augmented copies are left out."
    assert copies in after.description
    assert copies not in before.description


def write_images_of(source, tmp_path):
    """The tables by which a file's images are found, of the reviewer's rows."""
    rows = pd.concat([source.rows(part) for part in ("train", "validation", "test")])
    people = {"age": 45, "sex": "male", "localization": "back"}
    rows = rows.assign(image_id=rows["lesion_id"], **people)
    rows.drop(columns=["part", "copy"]).to_csv(tmp_path / "data/raw/catalog.csv", index=False)
    columns = ["image_id", "lesion_id", "part", "copy"]
    rows[columns].to_csv(tmp_path / "data/splits.csv", index=False)


def test_a_review_ships_the_version_and_gates_judge_what_is_shipped(record, reviewer, tmp_path):
    write_images_of(reviewer.source, tmp_path)
    ship = ShipSettings(targets=("litert-float32",))
    record.settings = replace(record.settings, ship=ship)
    version = train(record, CLASSES, "now")
    checks = {check.name: check for check in reviewer.review(version, None)}
    found = record.version(version.version)
    assert found.tags["edge.target"] == "litert-float32"
    assert found.tags["edge.reason"] == "inconclusive"  # four images can show nothing
    assert checks["bytes"].challenger == int(found.tags["edge.bytes"]) != 100  # of the Keras file
    shipped = f"{int(found.tags['edge.bytes']):,}"
    opening = found.description.split("\n\n")[0]
    assert opening.startswith(f"Gates {found.tags[GATES_TAG]}: lenet5 (")
    assert f"shipped as litert-float32, {shipped} bytes" in opening
    rows = [line.split("|")[1:3] for line in found.description.splitlines() if "bytes of" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["bytes of the Keras file", "100"],
        ["bytes of the shipped file, which the gates judge", shipped],
    ]
    latency = float(found.tags["edge.latency_p50_ms"])
    assert checks["latency_ms"].challenger == pytest.approx(latency, rel=1e-3)
    made = shipped_version.fetch(record, found)
    assert len(made.artefact) == int(found.tags["edge.bytes"])
    assert made.ledger["temperature"] == float(found.tags["temperature"])
    assert made.ledger["compared"]["num_images"] == 4
    place = tmp_path / "data/edge"
    reviewing.write_files(
        SimpleNamespace(record=record.tracker.settings), {"challenger": {"version": "1"}}, place
    )
    assert (place / "challenger/model.tflite").read_bytes() == made.artefact
    ledger = json.loads((place / "challenger/ledger.json").read_text())
    assert ledger == {name: made.ledger[name] for name in ledger}
    assert made.ledger.keys() - ledger == {"latency", "peak_memory_bytes"}
    assert "p50" not in (place / "challenger/README.md").read_text()
    record.tag(found, {"edge.sha256": "0" * 64})
    with pytest.raises(RecordError, match="is not the one that was judged: its hash differs"):
        shipped_version.fetch(record, record.version(version.version))
    assert not shipped_version.can_be_fetched(record, record.version(version.version))


def test_a_version_that_cannot_be_shipped_is_judged_as_its_keras_model(record, reviewer):
    version = train(record, CLASSES, "now")
    checks = {check.name: check for check in reviewer.review(version, None)}
    found = record.version(version.version)
    assert found.tags["edge.target"] == "none"
    assert "ranges are measured on training images" in found.tags["edge.reason"]
    assert not shipped_version.is_shipped(found)
    assert (checks["bytes"].challenger, checks["latency_ms"].challenger) == (100, 1)


def test_the_model_and_its_versions_say_which_to_promote(record, reviewer):
    """A network without bias on grey images has one answer: right for one of two classes.

    One resample in eight draws a single class, of which all or none are then right.
    """
    version = train(record, CLASSES, "now")
    reviewer.review(version, None)
    found = record.version(version.version)
    assert found.tags["balanced_accuracy"] == "0.500 (0.000 to 1.000) on 4 test images"
    passed, unsure = found.tags["gates.passed"], found.tags["gates.inconclusive"]
    assert {*passed.split(", "), *unsure.split(", ")} - {"none"} == {
        "balanced_accuracy",
        "melanoma_sensitivity",
        "bytes",
        "latency_ms",
    }
    record.set_alias("challenger", version.version)
    describe_model(record)
    model = record.client.get_registered_model(record.name)
    opening = found.description.split("\n\n")[0]
    assert f"Challenger, version {version.version}: {opening}" in model.description
    assert "Champion," not in model.description
    assert model.tags["the challenger"].startswith(f"version {version.version}: lenet5")


def test_a_split_that_comes_back_is_judged_anew(record, reviewer, tmp_path):
    champion, challenger = train(record, CLASSES, "lost"), train(record, CLASSES, "now")
    lost = reviewer.key(challenger, champion)
    assert reviewer.key(challenger, champion) == lost
    (tmp_path / "cache/old").rename(tmp_path / "cache/lost")
    assert reviewer.key(challenger, champion) != lost


def test_gates_that_cannot_tell_need_a_reason_and_are_served_with_it(record, verdicts):
    one, two = add(record), add(record)
    made_champion(record, one)
    verdicts.table[two] = "inconclusive"
    for blank in ("", "  "):
        with pytest.raises(RecordError, match='neither passed nor failed; `make promote WHY="'):
            promotion.promote(two, blank)
    assert history(record) == [one]
    promotion.promote(two, "few images, half the size")
    assert str(record.promotions.served().version) == two
    kept = record.promotions.all()[-1]
    assert (kept["why"], kept["gates"]) == ("few images, half the size", "inconclusive")
    three = add(record)
    assert before(record, three) == two
    promotion.promote(three)
    assert verdicts.asked[-2:] == [(two, one), (three, two)]


def test_gates_that_cannot_tell_are_not_served_by_an_alias_alone(record, verdicts, monkeypatch):
    one, two = add(record), add(record)
    made_champion(record, one)
    record.set_alias("champion", two)
    verdicts.table[two] = "inconclusive"
    params = SimpleNamespace(record=record.tracker.settings)
    monkeypatch.setattr(review_step, "read_params", lambda: params)
    with pytest.raises(RecordError, match=r"has inconclusive gates: .* `make promote VERSION=2"):
        review_step.review.fn()
    with pytest.raises(RecordError, match="is not served: judged inconclusive"):
        record.promotions.served()
    promotion.promote(two, "few images")
    review_step.review.fn()
    assert str(record.promotions.served().version) == two
    assert [entry["why"] for entry in record.promotions.all()] == ["why", "not said", "few images"]


@pytest.mark.parametrize("by_alias", [False, True])
def test_a_champion_stays_one_when_newer_data_can_no_longer_tell(record, verdicts, by_alias):
    one = add(record)
    params = SimpleNamespace(record=record.tracker.settings)
    if by_alias:
        record.set_alias("champion", one)
    else:
        promotion.promote(one)
    reviewing.review_registry(params)
    verdicts.table[one] = "inconclusive"
    assert reviewing.review_registry(params)["champion"]["served"]
    assert str(record.promotions.served().version) == one
    verdicts.table[one] = "failed"
    assert not reviewing.review_registry(params)["champion"]["served"]
