"""Which version answers: the champion, and the next one as soon as there is one."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from slimderm.components.classification.classifier import PEOPLE, Classifier
from slimderm.components.classification.inputs import prepare
from slimderm.components.common.errors import SlimDermError
from slimderm.flows.base.terminal import without_password
from slimderm.flows.record.promotions import NotServedError
from slimderm.flows.record.registry import Registry, temperature_of
from slimderm.flows.serving.service.last_served import LastServed
from slimderm.flows.serving.shipped import ShippedClassifier, answering, shipped_file
from slimderm.flows.work.shipped_version import HASH_TAG

LOGGER = logging.getLogger("uvicorn.error")
MESSAGE = 400  # characters of a fault


@dataclass(frozen=True)
class Served:
    """A version that answers.

    Attributes
    ----------
    classifier : Classifier
    name, version : str
        Of the registered model.
    since : str
        When it was loaded, UTC.
    """

    classifier: Classifier
    name: str
    version: str
    since: str

    @property
    def described(self) -> dict[str, Any]:
        """What an answer says of the model."""
        told = self.classifier.description
        return {
            "name": self.name,
            "version": self.version,
            "network": told["network"],
            "classes": list(told["classes"]),
            "calibrated": self.classifier.temperature is not None,
            "sexes": self._words("sexes"),
            "localizations": self._words("localizations"),
            "since": self.since,
            "file": self.classifier.file,
        }

    def _words(self, name: str) -> list[str]:
        told = self.classifier.description
        return [] if told["image_only"] else [*told["encoder"][name]]


class Champion:
    """The champion, loaded; a promotion is noticed, and requests under way keep their version.

    Parameters
    ----------
    registry : callable
        Returns the `Registry`, which takes seconds to open; called once.
    by_keras, embedding : bool
        As `slimderm.flows.serving.shipped.classifier_of`.
    last : LastServed, optional
        What was served last answers until the registry has been asked. Not used, and left as it
        is, where more than a file is asked for.

    Attributes
    ----------
    now : Served
    fault : str
        Why what answers may not be the champion of this moment; empty where it is.
    refused : NotServedError or None
        What the registry said against the kept version when it was asked first.

    Raises
    ------
    RecordError
        If there is no champion that may be served, or it cannot be loaded.
    """

    def __init__(
        self,
        registry: Callable[[], Registry],
        *,
        by_keras: bool = False,
        embedding: bool = False,
        last: LastServed | None = None,
    ) -> None:
        self.by_keras, self.embedding = by_keras, embedding
        self.last = None if by_keras or embedding else last
        self.fault = ""
        self.refused: NotServedError | None = None
        self._registry = cache(registry)
        self._key: tuple[Any, ...] = ()
        self.confirmed = not self._serve_last()
        if self.confirmed:
            self._serve(self._registry().promotions.served())

    def look(self) -> bool:
        """Serve another version if the registry has one; return whether it has.

        Where it cannot be served the one before goes on, and `fault` says why. If the registry
        says that the one that answers may not, it is kept for no other start; if it was not
        confirmed before, it is `refused`: a start without it would have failed.
        """
        try:
            version = self._registry().promotions.served()
            changed = _key(version) != self._key
            if changed:
                self._serve(version)
        except NotServedError as error:
            self.fault = str(error)
            if error.version in (None, self.now.version):
                self._forget()
                self.refused = None if self.confirmed else error
            return False
        except Exception as error:  # a store that does not answer is no reason to stop
            said = str(error) if isinstance(error, SlimDermError) else repr(error)
            self.fault = without_password(said)[:MESSAGE]
            return False
        self.fault, self.confirmed = "", True
        return changed

    def watch(self, seconds: float, ended: threading.Event, stop: Callable[[], object]) -> None:
        """Look every so many seconds until the event is set; at once at an unconfirmed version.

        `stop` is called if that one is refused.
        """
        wait = seconds if self.confirmed else 0.0
        while not ended.wait(wait):
            self.look()
            wait = seconds
            if self.refused:
                stop()
                return

    def _serve_last(self) -> bool:
        """Serve what was served last; return whether that is here, and runs."""
        kept = self.last.read() if self.last else None
        if kept is None:
            return False
        try:
            classifier = kept.file.classifier()
            if classifier is None:
                return False
            self.now, self._key = _served(classifier, kept.name, kept.number), kept.key
        except Exception as error:  # of another release, say: the registry has it anew
            LOGGER.warning("version %s, kept here, does not run: %r", kept.number, error)
            return False
        self.fault = "the registry has not been asked yet; this version was served last"
        return True

    def _serve(self, version: Any) -> None:
        file = None if self.by_keras else shipped_file(self._registry(), version)
        classifier = answering(self._registry(), version, file, embedding=self.embedding)
        name, number, key = version.name, str(version.version), _key(version)
        self.now, self._key = _served(classifier, name, number), key
        if self.last and file and isinstance(classifier, ShippedClassifier):
            self.last.write(file, name, number, key)
        else:
            self._forget()

    def _forget(self) -> None:
        if self.last:
            self.last.forget()


def _served(classifier: Classifier, name: str, number: str) -> Served:
    _warm(classifier)
    since = datetime.now(UTC).isoformat(timespec="seconds")
    return Served(classifier, name, number, since)


def _key(version: Any) -> tuple[Any, ...]:
    return str(version.version), temperature_of(version), version.tags.get(HASH_TAG)


def _warm(classifier: Classifier) -> None:
    """Answer once: what is asked first takes longer."""
    import pandas as pd

    black = np.zeros((*classifier.description["size"], 3), np.uint8)
    nobody = pd.DataFrame([dict.fromkeys(PEOPLE)])
    image = prepare(black, classifier.description)  # loads what compresses, where that is asked
    classifier.answer([image], classifier.people(nobody))
