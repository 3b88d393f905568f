"""The sole reader of ``params.yaml``: `read_params` turns the file into one frozen `Params`.

A section's class says what each of its keys means, which values it takes, and the default: the
paper's value, wherever it gives one. ``params.schema.json`` is written from the same classes.
"""

import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, model_validator

from slimderm.components.common.errors import ParameterError
from slimderm.components.common.settings import (
    Confidence,
    Count,
    NonEmpty,
    OneOf,
    Seed,
    settings,
)
from slimderm.components.compression.settings import CompressSettings, StorageSettings
from slimderm.components.dataset.settings import IngestSettings, SplitSettings, SyntheticSettings
from slimderm.components.network_compression.settings import SlimSettings
from slimderm.components.pruning.settings import PruneSettings
from slimderm.components.pruning.study_settings import StudySettings
from slimderm.components.quality.settings import (
    ChooseSettings,
    QualitySettings,
    ResizeSettings,
    SweepSettings,
)
from slimderm.components.training.networks import NETWORKS, TRAINABLE
from slimderm.components.training.settings import TrainingSettings
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.config import layout
from slimderm.flows.config.yaml_sections import read_sections

_RECORD: ContextVar[Mapping[str, Any]] = ContextVar("record", default=types.MappingProxyType({}))

Entry = TypeVar("Entry")
Engine = Literal["processes", "dask"]


@settings
class EvaluateSettings:
    """How a network is judged on the test part."""

    bootstrap_samples: Annotated[int, Field(ge=100)] = Field(
        default=1000, description="Resamplings of lesions behind an interval."
    )
    confidence: Confidence = Field(default=0.95, description="Of the intervals.")
    seed: Seed = Field(default=0, description="Of the resampling.")
    latency_repeats: Annotated[int, Field(ge=3)] = Field(
        default=30, description="Times that one image is timed."
    )
    permutations: Count = Field(
        default=5, description="Times that age, sex and site are dealt out at random, one by one."
    )
    ablation: bool = Field(
        default=True,
        description="Whether each unpruned network is also trained without age, sex and site.",
    )


@settings
class RecordSettings:
    """Where work runs and its record is kept; nothing here changes a result."""

    tracking_uri: str = Field(
        default="sqlite:///mlflow.db",
        description="MLflow's server or database; MLFLOW_TRACKING_URI (environment) goes first.",
    )
    artifacts: str = Field(
        default="mlartifacts",
        description="The folder of MLflow's files, where tracking_uri is a database.",
    )
    experiment: str = Field(default="slimderm", description="The experiment's name in MLflow.")
    cache: str = Field(
        default=".cache/slimderm",
        description="The folder of finished trainings, found again after an interruption.",
    )
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        default=2, description="Processes that work side by side."
    )
    engine: Engine = Field(
        default="processes",
        description="Where chunks of images and recipes of a search run: in processes of this "
        "machine, or on a Dask cluster.",
    )
    dask_address: str | None = Field(
        default=None,
        description="For dask: the scheduler, such as tcp://host:8786; it shares this folder.",
    )
    model: str | None = Field(
        default=None, description="The registered model's name; null: mlflow/registry.yaml's."
    )
    tags: dict[str, str] = Field(
        default={}, description="Tags that MLflow's runs get beside those that say what made them."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.engine == "dask" and not self.dask_address:
            raise ParameterError(
                "dask_address: received none, expected the scheduler's, such as tcp://host:8786"
            )
        return self


TRANSFER = ("head_epochs", "unfreeze_from", "unfrozen_learning_rate")  # of section train


@settings
class Params:
    """All of ``params.yaml``. A key left out takes its default, the paper's value."""

    networks: NonEmpty[Annotated[str, OneOf(TRAINABLE)]] = Field(
        default=tuple(NETWORKS), description="The networks that are trained and pruned."
    )
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
    studies: dict[str, StudySettings] = Field(
        default={}, description="Studies by name, each of one network pruned by several methods."
    )

    slim: dict[str, SlimSettings] = Field(
        default={}, description="Recipes by name, each of passes over one network."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, recipe in self.slim.items():
            if recipe.network not in self.networks:
                raise ParameterError(
                    f"slim: received {name} over {recipe.network}, expected a network of the "
                    f"section networks: {', '.join(self.networks)}"
                )
        self._check_transfer()
        return self

    def _check_transfer(self) -> None:
        for name in self.train.weights:
            if name not in self.networks:
                raise ParameterError(
                    f"train.weights: received a file for {name}, expected a network of the section "
                    f"networks: {', '.join(self.networks)}; a study names its own file"
                )
        first = self.train.head_epochs
        started = {
            f"study {name}": study.epochs for name, study in self.studies.items() if study.weights
        }
        started |= {f"network {name}": self.train.epochs for name in self.train.weights}
        for name, epochs in started.items():
            if first >= epochs:
                raise ParameterError(
                    f"train.head_epochs: received {first}, expected fewer than the {epochs} epochs "
                    f"of {name}"
                )
        for name in () if started else TRANSFER:
            if given := getattr(self.train, name):
                raise ParameterError(
                    f"train.{name}: received {given!r}, expected a network or a study that starts "
                    "from weights of a file: it has no effect on others"
                )

    @property
    def counted_networks(self) -> tuple[str, ...]:
        """Networks whose sizes are known by arithmetic alone: the paper's."""
        return tuple(name for name in self.networks if name in NETWORKS)

    def check_recipes(self) -> None:
        """Check the passes of all recipes, before hours go into what they start from.

        Keras is imported, if there are any.

        Raises
        ------
        ParameterError
            Naming the first faulty recipe, and its pass.
        """
        if self.slim:
            load_keras()
        for name, recipe in self.slim.items():
            try:
                recipe.check()
            except ParameterError as error:
                raise ParameterError(f"slim: {name}: {error}") from None

    def recipe(self, name: str) -> SlimSettings:
        """Return one recipe's settings.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        return _entry("slim", name, self.slim)

    def study(self, name: str) -> StudySettings:
        """Return one study's settings.

        Raises
        ------
        ParameterError
            If there is none of that name.
        """
        return _entry("studies", name, self.studies)


def _entry(section: str, name: str, entries: Mapping[str, Entry]) -> Entry:
    if name not in entries:
        raise ParameterError(
            f"{section}: received {name!r}, expected one of {', '.join(entries) or 'none'}"
        )
    return entries[name]


def read_params(path: Path | str = layout.PARAMS) -> Params:
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
        lies out of its range: a line for each fault.
    """
    params = read_sections(path, Params)
    return replace(params, record=replace(params.record, **_RECORD.get()))


@contextmanager
def recorded_by(**values: Any) -> Iterator[None]:
    """Override values of the section ``record`` inside the block; None overrides nothing.

    These change no result, so a single run may choose them, as a deployment's form does.

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
