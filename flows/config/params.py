"""The sole reader of ``params.yaml``.

`read_params` turns the file into one frozen `Params`; each section becomes the dataclass that owns
it. A key the file leaves out takes the paper's value; a key nobody knows, a value of the wrong type
or out of its range is a `ParameterError` that names the key, its range and its line.
"""

import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import Settings, setting
from slimderm.components.compression.settings import CompressSettings, StorageSettings
from slimderm.components.dataset.settings import IngestSettings, SplitSettings, SyntheticSettings
from slimderm.components.pruning.settings import PruneSettings
from slimderm.components.pruning.study_settings import StudySettings
from slimderm.components.quality.settings import (
    ChooseSettings,
    QualitySettings,
    ResizeSettings,
    SweepSettings,
)
from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.config.yaml_sections import read_document, read_section

_RECORD: ContextVar[Mapping[str, Any]] = ContextVar("record", default=types.MappingProxyType({}))

NETWORKS = ("lenet5", "alexnet", "custom1", "custom2")


@dataclass(frozen=True)
class EvaluateSettings(Settings):
    """How the test part is judged: lesion-level bootstrap, latency."""

    bootstrap_samples: int = setting(1000, low=100)
    confidence: float = setting(0.95, above=0.5, below=1.0)
    seed: int = setting(0, low=0)
    latency_repeats: int = setting(30, low=3)


@dataclass(frozen=True)
class RecordSettings(Settings):
    """Where work runs and its record is kept; nothing here changes a result.

    ``MLFLOW_TRACKING_URI`` in the environment goes before ``tracking_uri``. ``engine`` is where the
    chunks of the sweep and of the studies run: on ``workers`` processes here, or on the Dask
    cluster at ``dask_address``, whose machines share this folder.
    """

    tracking_uri: str = setting("sqlite:///mlflow.db")
    artifacts: str = setting("mlartifacts")
    experiment: str = setting("slimderm")
    cache: str = setting(".cache/slimderm")
    workers: int = setting(2, low=1, high=256)
    engine: str = setting("processes", choices=("processes", "dask"))
    dask_address: str | None = setting(None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine == "dask" and not self.dask_address:
            raise ParameterError(
                "dask_address: received none, expected the scheduler's, such as tcp://host:8786"
            )


@dataclass(frozen=True)
class Params:
    """All of ``params.yaml``, one attribute a section."""

    networks: tuple[str, ...] = NETWORKS
    synthetic: SyntheticSettings = field(default_factory=SyntheticSettings)
    ingest: IngestSettings = field(default_factory=IngestSettings)
    split: SplitSettings = field(default_factory=SplitSettings)
    compress: CompressSettings = field(default_factory=CompressSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    storage: StorageSettings = field(default_factory=StorageSettings)
    resize: ResizeSettings = field(default_factory=ResizeSettings)
    choose: ChooseSettings = field(default_factory=ChooseSettings)
    train: TrainingSettings = field(default_factory=TrainingSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    prune: PruneSettings = field(default_factory=PruneSettings)
    record: RecordSettings = field(default_factory=RecordSettings)
    studies: dict[str, StudySettings] = field(default_factory=dict)

    def study(self, name: str) -> StudySettings:
        """Return one study's settings.

        Raises
        ------
        ParameterError
            When there is none of that name.
        """
        if name not in self.studies:
            raise ParameterError(
                f"study: received {name!r}, expected one of {', '.join(self.studies) or 'none'}, "
                "the entries of the section studies"
            )
        return self.studies[name]


def read_params(path: Path | str = "params.yaml") -> Params:
    """Read and validate ``params.yaml``.

    Parameters
    ----------
    path : path
        The file; relative to the current folder.

    Returns
    -------
    Params
        Every section as its frozen dataclass.

    Raises
    ------
    ParameterError
        If the file is missing or no YAML mapping, a key is unknown, a value has the wrong type or
        lies out of its range. The message gives file, line, key, what was received and expected.
    """
    sections = {entry.name: entry for entry in fields(Params)}
    document, place = read_document(path, sections)
    arguments = {
        name: read_section(entry.default_factory, document.get(name), name, place)  # type: ignore[arg-type]
        for name, entry in sections.items()
        if entry.default_factory is not MISSING and name != "studies"
    }
    named = document.get("studies") or {}
    if not isinstance(named, dict):
        raise ParameterError(
            f"{place('studies')}: received {named!r}, expected names, each with its settings"
        )
    studies = {
        name: read_section(StudySettings, values, f"studies.{name}", place)
        for name, values in named.items()
    }
    networks = document.get("networks", list(NETWORKS))
    if not isinstance(networks, list) or not networks or any(n not in NETWORKS for n in networks):
        raise ParameterError(
            f"{place('networks')}: received {networks!r}, expected a list of some of "
            f"{', '.join(NETWORKS)}"
        )
    arguments["record"] = replace(arguments["record"], **_RECORD.get())
    return Params(networks=tuple(networks), studies=studies, **arguments)


@contextmanager
def recorded_by(**values: Any) -> Iterator[None]:
    """Let values go before those of the section ``record`` inside the block; None leaves them.

    Where work runs changes no result, so one run may choose it, as a deployment's form does.

    Raises
    ------
    ParameterError
        If a value is out of its range, or does not go with the others.
    """
    given = {name: value for name, value in values.items() if value is not None}
    token = _RECORD.set({**_RECORD.get(), **given})
    try:
        read_params()
        yield
    finally:
        _RECORD.reset(token)
