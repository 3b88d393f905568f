"""A service starts with what it served last, and asks the registry as soon as it runs."""

import hashlib
import threading
from typing import NamedTuple

import pytest

from slimderm.flows.record.promotions import NotServedError
from slimderm.flows.serving.service.champion import Champion
from slimderm.flows.serving.service.last_served import LastServed
from slimderm.flows.serving.shipped import ShippedFile
from slimderm.flows.work.shipment import Shipment
from tests.flows.serving.example import PEOPLE


class FakeVersion(NamedTuple):
    """What is on record of a move before its alias moves."""

    version: str


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


@pytest.fixture
def withdrawn(shipped):
    """Withdraws version 1, and puts it back in the end."""
    registry, *_ = shipped
    yield lambda: registry.tag(registry.version("1"), {"gates": "failed"})
    registry.tag(registry.version("1"), {"gates": "passed"})


def test_a_version_that_may_not_be_served_any_more_stops_the_service(shipped, last, withdrawn):
    registry, *_ = shipped
    withdrawn()
    champion, stopped = Champion(lambda: registry, last=last), threading.Event()
    champion.watch(60, threading.Event(), stopped.set)
    assert stopped.is_set()
    assert last.read() is None  # the next start asks first
    with pytest.raises(NotServedError, match="is the champion but is not served"):
        raise champion.refused


def test_a_champion_without_its_alias_stops_the_service(shipped, last):
    registry, *_ = shipped
    registry.client.delete_registered_model_alias(registry.name, "champion")
    try:
        champion = Champion(lambda: registry, last=last)
        champion.look()
        assert isinstance(champion.refused, NotServedError)
    finally:
        registry.set_alias("champion", "1")


def test_once_confirmed_it_goes_on_though_refused_later_but_starts_no_more(
    shipped, last, withdrawn
):
    registry, *_ = shipped
    champion = Champion(lambda: registry, last=last)
    champion.look()
    withdrawn()
    assert not champion.look()
    assert "is not served" in champion.fault
    assert champion.refused is None
    assert last.read() is None


def test_a_promotion_under_way_stops_nothing(shipped, last):
    registry, *_ = shipped
    registry.promotions.moves.keep("champion", FakeVersion("7"), "a better one", "passed")
    try:
        champion = Champion(lambda: registry, last=last)
        assert not champion.look()
        assert champion.refused is None
        assert last.read() is not None
    finally:
        registry.promotions.promote(registry.version("1"), "back")


def test_a_store_of_files_that_does_not_answer_stops_nothing(shipped, last, monkeypatch):
    registry, *_ = shipped
    version = registry.version("1")
    temperature = version.tags["temperature"]
    registry.tag(version, {"temperature": "9.0"})  # so the version is to be loaded anew

    def no_answer(**_):
        raise ConnectionError("no files")

    monkeypatch.setattr(registry.tracker.mlflow.artifacts, "download_artifacts", no_answer)
    try:
        champion = Champion(lambda: registry, last=last)
        assert not champion.look()
        assert "cannot be fetched" in champion.fault
        assert champion.refused is None
        assert last.read() is not None
    finally:
        registry.tag(version, {"temperature": temperature})


def test_a_fault_tells_no_password(last):
    def denied():
        raise OSError("no answer from http://ada:Secret77@127.0.0.1:9/api")

    champion = Champion(denied, last=last)
    champion.look()
    assert "no answer from http://127.0.0.1:9/api" in champion.fault
    assert "Secret77" not in champion.fault


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


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: data.replace(b"l", b"b")])
@pytest.mark.parametrize("file", ["file", "version.json"])
def test_a_copy_that_is_not_whole_is_not_used(shipped, last, file, damage):
    registry, *_ = shipped
    place = last.folder / file
    place.write_bytes(damage(place.read_bytes()))
    assert last.read() is None
    assert Champion(lambda: registry, last=last).fault == ""
    assert last.read() is not None


@pytest.mark.parametrize("artefact", [None, b"no LiteRT file"])
def test_a_copy_that_does_not_run_is_not_used(shipped, last, caplog, artefact):
    registry, *_ = shipped
    kept = last.read()
    made = kept.file.made
    if artefact:
        digest = hashlib.sha256(artefact).hexdigest()
        made = Shipment(artefact, made.ledger | {"sha256": digest})
    description = kept.file.description if artefact else {}
    last.write(ShippedFile(made, description, ""), kept.name, kept.number, kept.key)
    assert last.read() is not None
    assert Champion(lambda: registry, last=last).fault == ""
    assert "kept here, does not run" in caplog.text


@pytest.mark.parametrize("other", [{"by_keras": True}, {"embedding": True}])
def test_what_is_kept_is_neither_used_nor_lost_where_more_than_a_file_is_asked_for(
    shipped, last, other
):
    registry, *_ = shipped
    champion = Champion(lambda: registry, last=last, **other)
    assert champion.fault == ""
    assert last.read() is not None


def test_a_disk_that_is_full_stops_nothing(tmp_path, caplog):
    (tmp_path / "taken").write_text("no folder")
    file = ShippedFile(Shipment(b"", {}), {}, "")
    LastServed(tmp_path / "taken" / "kept").write(file, "slimderm", "1", ())
    assert "version 1 is not kept for the next start" in caplog.text
