"""The file that a service answered by last, kept on its own disk.

A start answers by it at once, also where the registry cannot be reached. To ask the registry takes
longer than all else: MLflow and its store are two seconds of imports.
"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import content_key, replacing
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.serving.shipped import ShippedFile
from slimderm.flows.work.shipment import Shipment

LOGGER = logging.getLogger("uvicorn.error")
VERSION, FILE = "version.json", "file"


@dataclass(frozen=True)
class KeptVersion:
    """A version as it was served.

    Attributes
    ----------
    file : ShippedFile
    name, number : str
        Of the registered model.
    key : tuple
        By which another version, temperature or file is told from it.
    """

    file: ShippedFile
    name: str
    number: str
    key: tuple[Any, ...]


class LastServed:
    """A folder that holds the version that a service answered by last, or none.

    Parameters
    ----------
    folder : Path
        Of one registered model in one store.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self) -> KeptVersion | None:
        """Return the version; None where there is none, or what is there is not whole."""
        try:
            kept = read_json(self.folder / VERSION)
            told = kept["told"]
            made = Shipment((self.folder / FILE).read_bytes(), told["ledger"])
            if kept["hash"] != content_key(told=told) or not made.is_intact:
                return None
            file = ShippedFile(made, told["description"], told["sentence"])
            return KeptVersion(file, told["name"], told["number"], tuple(told["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, file: ShippedFile, name: str, number: str, key: Sequence[Any]) -> None:
        """Keep a version in place of the one before; where that fails, the log says so."""
        told = {
            "name": name,
            "number": number,
            "key": list(key),
            "sentence": file.sentence,
            "description": file.description,
            "ledger": file.made.ledger,
        }
        try:
            with replacing(self.folder) as draft:
                (draft / FILE).write_bytes(file.made.artefact)
                write_json(draft / VERSION, {"told": told, "hash": content_key(told=told)})
        except OSError as error:
            LOGGER.warning("version %s is not kept for the next start: %s", number, error)

    def forget(self) -> None:
        """Keep none: what was kept answers no more."""
        try:
            shutil.rmtree(self.folder)
        except FileNotFoundError:
            pass
        except OSError as error:
            LOGGER.error("%s cannot be deleted, and the next start uses it: %s", self.folder, error)
