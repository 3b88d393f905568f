"""``params.schema.json``, by which editors complete and check ``params.yaml`` and the recipes."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from slimderm.flows.config import layout
from slimderm.flows.config.params import Params

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def params_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``params.yaml``, from the classes of its sections."""
    return {"$schema": DIALECT} | TypeAdapter(Params).json_schema() | {"title": "params.yaml"}


def write_schema(path: Path | str = layout.PARAMS_SCHEMA) -> None:
    """Write the JSON Schema of ``params.yaml``.

    Parameters
    ----------
    path : path
        The file to write.
    """
    text = json.dumps(params_schema(), indent=2, ensure_ascii=False)
    Path(path).write_text(f"{text}\n", encoding="utf-8")
