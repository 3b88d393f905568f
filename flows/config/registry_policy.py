"""The sole reader of ``mlflow/registry.yaml``."""

from dataclasses import dataclass
from pathlib import Path

from slimderm.components.common.errors import ParameterError
from slimderm.components.evaluation.gates import GateSettings
from slimderm.flows.config.yaml_sections import read_document, read_section

REGISTRY = Path(__file__).resolve().parents[2] / "mlflow" / "registry.yaml"
NAME = "slimderm"
ROLES = ("challenger", "champion")


@dataclass(frozen=True)
class RegistrySettings:
    """All of ``mlflow/registry.yaml``: the registered model, its aliases by role, its gates."""

    model: str
    aliases: dict[str, str]
    gates: GateSettings


def read_registry(path: Path | str = REGISTRY) -> RegistrySettings:
    """Read and validate ``mlflow/registry.yaml``.

    Raises
    ------
    ParameterError
        As `read_params`; also if an alias has no name.
    """
    sections = ("model", "aliases", "gates")
    document, place = read_document(path, sections)
    gates = read_section(GateSettings, document.get("gates"), "gates", place)
    model, aliases = document.get("model", NAME), document.get("aliases", {})
    if not isinstance(model, str) or not isinstance(aliases, dict):
        raise ParameterError(
            f"{place('model')}: received {model!r} with the aliases {aliases!r}, expected a name "
            "and a mapping of roles to names"
        )
    known = {role: role for role in ROLES} | aliases
    for role, name in known.items():
        if role not in ROLES or not isinstance(name, str):
            raise ParameterError(
                f"{place('aliases')}: received {role}: {name!r}, expected names of "
                f"{', '.join(ROLES)}"
            )
    return RegistrySettings(model, known, gates)
