"""The sole reader of ``params.yaml`` and ``mlflow/registry.yaml``.

`read_params` turns the file into one frozen `Params`; each section becomes the dataclass that owns
it. A key the file leaves out takes the paper's value; a key nobody knows, a value of the wrong type
or out of its range is a `ParameterError` that names the key, its range and its line.
"""

import types
import typing
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

from components.compression.settings import CompressSettings
from components.dataset.settings import IngestSettings, SplitSettings, SyntheticSettings
from components.errors import ParameterError
from components.pruning.settings import PruneSettings
from components.pruning.study import StudySettings
from components.quality.settings import (
    ChooseSettings,
    QualitySettings,
    ResizeSettings,
    StorageSettings,
    SweepSettings,
)
from components.settings import Settings, describe_range, setting
from components.training.settings import TrainingSettings

if typing.TYPE_CHECKING:
    from components.gates import GateSettings

_RECORD: ContextVar[Mapping[str, Any]] = ContextVar("record", default=types.MappingProxyType({}))

NETWORKS = ("lenet5", "alexnet", "custom1", "custom2")
REGISTRY = Path(__file__).resolve().parent.parent / "mlflow" / "registry.yaml"
MODEL = "slimderm"
ROLES = ("challenger", "champion")


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
class RegistrySettings:
    """All of ``mlflow/registry.yaml``: the registered model, its aliases by role, its gates."""

    model: str
    aliases: dict[str, str]
    gates: "GateSettings"


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


def _coerce(value: Any, hint: Any) -> Any:
    """Return `value` as `hint` wants it (lists become tuples), or raise TypeError."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in arguments:
            return None
        return _coerce(value, next(option for option in arguments if option is not type(None)))
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError
        return tuple(_coerce(element, arguments[0]) for element in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError
        return {key: _coerce(element, arguments[1]) for key, element in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError
    return value


def _lines(node: yaml.Node | None, prefix: str = "") -> dict[str, int]:
    """Map each dotted key of a composed YAML document to its line, counted from 1."""
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            found[name] = key.start_mark.line + 1
            found |= _lines(value, f"{name}.")
    return found


def _kind(hint: Any) -> str:
    return getattr(hint, "__name__", str(hint)) if not typing.get_args(hint) else str(hint)


def _section(cls: type[Any], values: Any, name: str, place: "_Place") -> Any:
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ParameterError(f"{place(name)}: received {values!r}, expected a mapping of keys")
    declared = {entry.name: entry for entry in fields(cls)}
    hints = typing.get_type_hints(cls)
    arguments = {}
    for key, value in values.items():
        where = f"{name}.{key}"
        if key not in declared:
            known = ", ".join(declared)
            raise ParameterError(f"{place(where)}: unknown key; expected one of {known}")
        try:
            arguments[key] = _coerce(value, hints[key])
        except TypeError:
            limits = declared[key].metadata and describe_range(declared[key])
            wanted = _kind(hints[key]) + (f", {limits}" if limits else "")
            raise ParameterError(f"{place(where)}: received {value!r}, expected {wanted}") from None
    try:
        return cls(**arguments)
    except ParameterError as error:
        key = str(error).split(":", 1)[0]
        where = f"{name}.{key}" if key in declared else name
        detail = str(error).split(":", 1)[1].strip() if key in declared else str(error)
        raise ParameterError(f"{place(where)}: {detail}") from None


class _Place:
    """Says where a dotted key stands: ``params.yaml:12: prune.factors``."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = _lines(yaml.compose(text))

    def __call__(self, name: str) -> str:
        line = self.lines.get(name, self.lines.get(name.rsplit(".", 1)[0], 1))
        return f"{self.path}:{line}: {name}"


def _document(path: Path | str, sections: Collection[str]) -> tuple[dict[str, Any], _Place]:
    """Read a YAML file that holds some of the sections and nothing else."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.safe_load(text) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ParameterError(f"{path}: cannot be read as YAML ({error})") from error
    if not isinstance(document, dict):
        raise ParameterError(f"{path}: received {type(document).__name__}, expected sections")
    place = _Place(path, text)
    for name in document:
        if name not in sections:
            raise ParameterError(
                f"{place(name)}: unknown section; expected one of {', '.join(sections)}"
            )
    return document, place


def read_registry(path: Path | str = REGISTRY) -> RegistrySettings:
    """Read and validate ``mlflow/registry.yaml``.

    Raises
    ------
    ParameterError
        As `read_params`; also if an alias has no name.
    """
    from components.gates import GateSettings

    sections = ("model", "aliases", "gates")
    document, place = _document(path, sections)
    gates = _section(GateSettings, document.get("gates"), "gates", place)
    model, aliases = document.get("model", MODEL), document.get("aliases", {})
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
    document, place = _document(path, sections)
    arguments = {
        name: _section(entry.default_factory, document.get(name), name, place)  # type: ignore[arg-type]
        for name, entry in sections.items()
        if entry.default_factory is not MISSING and name != "studies"
    }
    named = document.get("studies") or {}
    if not isinstance(named, dict):
        raise ParameterError(
            f"{place('studies')}: received {named!r}, expected names, each with its settings"
        )
    studies = {
        name: _section(StudySettings, values, f"studies.{name}", place)
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
