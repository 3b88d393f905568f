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

from slimderm.components.common.cache import replacing
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.serving.shipped import ShippedFile
from slimderm.flows.work.shipment import LEDGER, Shipment

LOGGER = logging.getLogger("uvicorn.error")
VERSION = "version.json"


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
        """Return the version; None where there is none, or its files are not whole."""
        try:
            told, ledger = read_json(self.folder / VERSION), read_json(self.folder / LEDGER)
            made = Shipment((self.folder / ledger["artefact"]).read_bytes(), ledger)
            file = ShippedFile(made, told["description"], told["sentence"])
            kept = KeptVersion(file, told["name"], told["number"], tuple(told["key"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return kept if made.is_intact else None

    def write(self, file: ShippedFile, name: str, number: str, key: Sequence[Any]) -> None:
        """Keep a version in place of the one before; where that fails, the log says so."""
        told = {
            "name": name,
            "number": number,
            "key": list(key),
            "sentence": file.sentence,
            "description": file.description,
        }
        try:
            with replacing(self.folder) as draft:
                file.made.write(draft)
                write_json(draft / VERSION, told)
        except OSError as error:
            LOGGER.warning("version %s is not kept for the next start: %s", number, error)

    def forget(self) -> None:
        """Keep none: what answers now is no file."""
        shutil.rmtree(self.folder, ignore_errors=True)
