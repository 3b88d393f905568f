"""A service starts with what it served last, and asks the registry as soon as it runs."""

import threading

import pytest

from slimderm.components.common.errors import RecordError
from slimderm.flows.serving.service.champion import Champion
from slimderm.flows.serving.service.last_served import LastServed
from slimderm.flows.serving.shipped import ShippedFile
from slimderm.flows.work.shipment import Shipment
from tests.flows.serving.example import PEOPLE


@pytest.fixture
def last(shipped, tmp_path):
    """What a service has served and kept."""
    registry, *_ = shipped
    last = LastServed(tmp_path / "kept")
    Champion(lambda: registry, last=last)
    return last


def unreachable():
    raise ConnectionError("no store")


def test_the_kept_version_answers_before_the_registry_is_asked(shipped, last):
    registry, *_ = shipped
    champion = Champion(unreachable, last=last)
    wanted = Champion(lambda: registry).now
    found = champion.now.classifier.classify(PEOPLE)
    assert found.equals(wanted.classifier.classify(PEOPLE))
    told = {name: value for name, value in champion.now.described.items() if name != "since"}
    assert told == {name: wanted.described[name] for name in told}
    assert "not been asked yet" in champion.fault


def test_a_store_that_does_not_answer_leaves_the_kept_version(last):
    champion = Champion(unreachable, last=last)
    assert not champion.look()
    assert "no store" in champion.fault
    assert champion.refused is None
    assert len(champion.now.classifier.classify(PEOPLE)) == 3


def test_the_registry_confirms_it_and_nothing_is_loaded_again(shipped, last):
    registry, *_ = shipped
    champion = Champion(lambda: registry, last=last)
    before = champion.now
    assert not champion.look()
    assert champion.now is before
    assert champion.fault == ""


def test_a_version_that_is_no_champion_any_more_stops_the_service(shipped, last):
    registry, *_ = shipped
    registry.tag(registry.version("1"), {"gates": "failed"})
    try:
        champion, stopped = Champion(lambda: registry, last=last), threading.Event()
        champion.watch(60, threading.Event(), stopped.set)
        assert stopped.is_set()
        assert last.read() is None  # the next start asks first
        with pytest.raises(RecordError, match="is the champion but is not served"):
            raise champion.refused
    finally:
        registry.tag(registry.version("1"), {"gates": "passed"})


def test_once_confirmed_it_goes_on_though_refused_later(shipped, last):
    registry, *_ = shipped
    champion = Champion(lambda: registry, last=last)
    champion.look()
    registry.tag(registry.version("1"), {"gates": "failed"})
    try:
        assert not champion.look()
        assert "is not served" in champion.fault
        assert champion.refused is None
    finally:
        registry.tag(registry.version("1"), {"gates": "passed"})


def test_another_calibration_since_the_last_start_is_loaded(shipped, last):
    registry, *_ = shipped
    version = registry.version("1")
    temperature = version.tags["temperature"]
    registry.tag(version, {"temperature": "9.0"})
    try:
        champion = Champion(lambda: registry, last=last)
        assert champion.look()
        assert last.read().key[1] == 9.0
    finally:
        registry.tag(version, {"temperature": temperature})


@pytest.mark.parametrize("damaged", ["model.tflite", "ledger.json", "version.json"])
def test_a_copy_that_is_not_whole_is_not_used(shipped, last, damaged):
    registry, *_ = shipped
    file = last.folder / damaged
    file.write_bytes(file.read_bytes()[:-9])
    assert last.read() is None
    assert Champion(lambda: registry, last=last).fault == ""
    assert last.read() is not None


def test_nothing_is_kept_where_keras_answers(shipped, last):
    registry, *_ = shipped
    champion = Champion(lambda: registry, last=last, by_keras=True)
    assert champion.fault == ""
    assert last.read() is None


def test_what_is_kept_is_not_used_where_answers_tell_an_embedding(shipped, last):
    registry, *_ = shipped
    champion = Champion(lambda: registry, last=last, embedding=True)
    assert champion.fault == ""
    assert "embedding" in champion.now.classifier.classify(PEOPLE)


def test_a_disk_that_is_full_stops_nothing(tmp_path, caplog):
    (tmp_path / "taken").write_text("no folder")
    ledger = {"artefact": "model.tflite"}
    LastServed(tmp_path / "taken" / "kept").write(
        ShippedFile(Shipment(b"", ledger), {}, ""), "slimderm", "1", ()
    )
    assert "version 1 is not kept for the next start" in caplog.text
