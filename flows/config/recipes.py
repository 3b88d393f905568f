"""Put a recipe's sections, or one's own data folder, into ``params.yaml``, for `make run`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from slimderm.components.common.errors import ParameterError, SlimDermError
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params

WHOLE = ("studies", "slim")


def apply_recipe(recipe: Path | None, data: Path | None, params: Path = layout.PARAMS) -> list[str]:
    """Rewrite ``params.yaml`` with the values of a recipe and the folder of a dataset.

    A section that the recipe holds replaces the section of ``params.yaml`` key by key; studies and
    slim, whose keys are names that one chooses, it replaces whole. The result is validated before
    it replaces the file, so a faulty recipe changes nothing.

    Parameters
    ----------
    recipe : path, optional
        A file of the same form as ``params.yaml``.
    data : path, optional
        A dataset in the official layout; becomes ``ingest.source``. Its folder ``negatives``, where
        there is one, becomes ``ingest.negatives``.
    params : path
        The file to rewrite.

    Returns
    -------
    list of str
        The keys that changed, e.g. ``["train.epochs"]``.

    Raises
    ------
    ParameterError
        If the recipe or the folder is not there, or the result is not valid.
    """
    if recipe is not None and not recipe.is_file():
        raise ParameterError(f"RECIPE: received {str(recipe)!r}, expected a file that is there")
    if data is not None and not data.is_dir():
        raise ParameterError(f"DATA: received {str(data)!r}, expected a folder that is there")
    yaml = YAML()  # keeps the comments
    yaml.preserve_quotes = True  # without them an address in braces is no YAML for DVC
    document = yaml.load(params.read_text()) or {}
    before = _flat(document)
    changes: dict[str, Any] = (YAML(typ="safe").load(recipe.read_text()) or {}) if recipe else {}
    if data is not None:
        negatives = data / "negatives"
        changes.setdefault("ingest", {})["source"] = str(data)
        changes["ingest"]["negatives"] = str(negatives) if negatives.is_dir() else None
    merge(document, changes)
    draft = params.with_name(f".{params.name}.draft")
    with draft.open("w") as stream:
        yaml.dump(document, stream)
    try:
        read_params(draft).check_recipes()
    except SlimDermError:
        draft.unlink()
        raise
    changed = sorted(_flat(document).items() - before.items())
    if changed:
        draft.replace(params)
    else:
        draft.unlink()
    return [name for name, _ in changed]


def merge(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Put sections into a document in place: key by key, those of `WHOLE` whole."""
    for name, values in changes.items():
        if name not in WHOLE and isinstance(values, dict) and isinstance(document.get(name), dict):
            document[name].update(values)
        else:
            document[name] = values


def _flat(document: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{section}.{key}" if key else section: repr(value)
        for section, values in document.items()
        for key, value in (values.items() if isinstance(values, dict) else [("", values)])
    }
