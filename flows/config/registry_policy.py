"""The sole reader of ``mlflow/registry.yaml``."""

from dataclasses import field
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from slimderm.components.common.settings import NonEmpty, OneOf, settings
from slimderm.components.evaluation.gates import GateSettings
from slimderm.components.monitoring.settings import WatchSettings
from slimderm.flows.config import layout
from slimderm.flows.config.yaml_sections import read_sections

ROLES = ("challenger", "champion")
DEFAULT_ALIASES = {role: role for role in ROLES}

Name = Annotated[str, Field(min_length=1)]


def _with_defaults(aliases: dict[str, str]) -> dict[str, str]:
    return DEFAULT_ALIASES | aliases


@settings
class ShipSettings:
    """What a version is shipped as, once it is judged."""

    targets: NonEmpty[str] = Field(
        default=("litert-int8", "litert-static-int8", "litert-float16", "litert-float32"),
        description="Kinds of file that are tried; the smallest that is non-inferior is kept.",
    )


@settings
class RegistrySettings:
    """All of ``mlflow/registry.yaml``."""

    model: Name = Field(default="slimderm", description="The registered model's name.")
    aliases: Annotated[dict[Annotated[str, OneOf(ROLES)], Name], AfterValidator(_with_defaults)] = (
        Field(default=DEFAULT_ALIASES, description="Role: the alias of the version that has it.")
    )
    branches: tuple[Name, ...] = Field(
        default=("main", "master"),
        description="Runs on these branches of git move the aliases of a store that others share.",
    )
    gates: GateSettings = field(default_factory=GateSettings)
    ship: ShipSettings = field(default_factory=ShipSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)


def read_registry(path: Path | str = layout.REGISTRY_POLICY) -> RegistrySettings:
    """Read and validate ``mlflow/registry.yaml``.

    Raises
    ------
    ParameterError
        As `slimderm.flows.config.params.read_params`.
    """
    return read_sections(path, RegistrySettings)
