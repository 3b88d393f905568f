"""Which version answers: the champion, and the next one as soon as there is one."""

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from slimderm.components.classification.classifier import PEOPLE, Classifier
from slimderm.components.classification.inputs import prepare
from slimderm.components.common.errors import SlimDermError
from slimderm.flows.record.registry import Registry, temperature_of
from slimderm.flows.serving.shipped import classifier_of
from slimderm.flows.work.shipped_version import HASH_TAG


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
    registry : Registry
    by_keras, embedding : bool
        As `slimderm.flows.serving.shipped.classifier_of`.

    Raises
    ------
    RecordError
        If there is no champion that may be served, or it cannot be loaded.
    """

    def __init__(
        self, registry: Registry, *, by_keras: bool = False, embedding: bool = False
    ) -> None:
        self.registry = registry
        self.answering = {"by_keras": by_keras, "embedding": embedding}
        self.fault = ""  # why the champion of now is not the one that is served
        version = registry.served()
        self.now, self._key = self._load(version), _key(version)

    def look(self) -> bool:
        """Serve another version if the registry has one; return whether it has.

        Where it cannot be served the one before goes on, and `fault` says why.
        """
        try:
            version = self.registry.served()
            if _key(version) == self._key:
                self.fault = ""
                return False
            self.now, self._key = self._load(version), _key(version)
        except Exception as error:  # a store that does not answer is no reason to stop
            self.fault = str(error) if isinstance(error, SlimDermError) else repr(error)[:200]
            return False
        self.fault = ""
        return True

    def watch(self, seconds: float, ended: threading.Event) -> None:
        """Look every so many seconds, until the event is set."""
        while not ended.wait(seconds):
            self.look()

    def _load(self, version: Any) -> Served:
        classifier = classifier_of(self.registry, version, **self.answering)
        _warm(classifier)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        return Served(classifier, version.name, str(version.version), since)


def _key(version: Any) -> tuple[Any, ...]:
    return str(version.version), temperature_of(version), version.tags.get(HASH_TAG)


def _warm(classifier: Classifier) -> None:
    """Answer once: what is asked first takes longer."""
    import pandas as pd

    black = np.zeros((*classifier.description["size"], 3), np.uint8)
    nobody = pd.DataFrame([dict.fromkeys(PEOPLE)])
    image = prepare(black, classifier.description)  # loads what compresses, where that is asked
    classifier.answer([image], classifier.people(nobody))
