"""What the report shows: every stage's tables, read once."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from slimderm.components.dataset.variants import ORIGINAL
from slimderm.components.quality.metrics import HEADLINE
from slimderm.components.reporting import tables
from slimderm.components.reporting.metadata_table import metadata_table
from slimderm.flows.base.files import read_json
from slimderm.flows.config import layout
from slimderm.flows.config.choice import InputSize, StorageChoice, input_size, storage_choice
from slimderm.flows.config.params import Params

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Results:
    """What the stages left.

    Attributes
    ----------
    baselines : list of dict
        Records of the unpruned trainings, of each network and variant.
    pruned : dict
        Network to its steps and the smallest accepted one.
    slimmed : list of dict
        The last record of each recipe.
    frames : dict
        Name to table, as ``reports/tables`` holds them.
    choice, size
        What was chosen.
    """

    baselines: list[dict[str, Any]]
    pruned: dict[str, dict[str, Any]]
    slimmed: list[dict[str, Any]]
    frames: dict[str, pd.DataFrame]
    choice: StorageChoice
    size: InputSize

    @classmethod
    def read(cls, params: Params) -> Self:
        """Read the outputs of every stage."""
        baselines = [
            read_json(layout.baseline(network) / variant / "record.json")
            for network in params.networks
            for variant in layout.VARIANTS
        ]
        pruned = {
            network: read_json(layout.pruned(network) / "steps.json") for network in params.networks
        }
        frames = _frames(baselines, pruned)
        slimmed = [
            read_json(layout.slimmed(name) / "recipe.json")["passes"][-1] for name in params.slim
        ]
        if slimmed:
            frames["recipes"] = _recipes(params.slim, slimmed)
        return cls(baselines, pruned, slimmed, frames, storage_choice(), input_size())

    @property
    def power(self) -> list[str]:
        """What each network's validation part can resolve, in words, each sentence once."""
        told = (f"{run['power'][0].upper()}{run['power'][1:]}." for run in self.pruned.values())
        return list(dict.fromkeys(told))

    def unpruned(self, network: str) -> Record:
        """Give the record of a network before anything was taken from it."""
        record: Record = self.pruned[network]["steps"][0]
        return record

    def find(self, entry: Record) -> Record:
        """Find the record of an entry of the registry: a pruned network's, or a recipe's."""
        made = [*self.pruned[entry["network"]]["steps"], *self.slimmed]
        same = ("network", "notation")
        return next(each for each in made if all(each[name] == entry[name] for name in same))

    def tested(self, record: Record) -> Record:
        """Give a record with what was measured on the test part, if it was.

        The unpruned network of the steps is one of the baselines, which alone are tested.
        """
        same = (each for each in self.baselines if each["key"] == record["key"])
        return {**record, **next(same, {})}

    def ratios(self) -> tuple[float, float]:
        """Give what encoder and SVD contribute to the compression ratio, as factors of it.

        They are the sweep's, over the images that it measured, or else the storage study's, over
        its sample.
        """
        saved, option, arms = self.saved_storage(), self.choice.option, self.frames["arms"]
        if "svd_ratio" in saved:
            return saved["encoder_ratio"], saved["svd_ratio"]
        rows = arms[(arms["codec"] == option.codec) & (arms["quality"] == option.quality)]
        alone = rows[rows["k"].isna()]["compression_ratio"]
        whole = rows[rows["k"] == option.k]["compression_ratio"]
        if alone.empty or whole.empty:
            return saved["compression_ratio"], 1.0
        return alone.iloc[0], whole.iloc[0] / alone.iloc[0]

    def saved_storage(self) -> dict[str, Any]:
        """Say what the compressed dataset saved: by the sweep's table, else by the manifest."""
        storage, choice = self.frames["storage"], self.choice
        found = asdict(choice.option)
        if choice.rule != "fewest_bytes" and choice.k is not None:
            found |= storage.set_index("k").loc[choice.k].to_dict()
            return found | {"sentence": tables.storage_sentence(storage, choice.k)}
        manifest = pd.read_parquet(layout.MANIFEST)
        before, after = manifest["bytes_before"].sum(), manifest["bytes_after"].sum()
        saved = {"compression_ratio": before / after, "storage_saved": 1 - after / before}
        return found | saved | {"sentence": f"The dataset is {before / after:.2f}× smaller."}


def _frames(baselines: list[Any], pruned: dict[str, Any]) -> dict[str, pd.DataFrame]:
    summary = pd.read_csv(layout.SWEEP / "summary.csv")
    quarantine = pd.read_csv(layout.QUARANTINE)
    steps = [step for run in pruned.values() for step in run["steps"]]
    pruning = tables.pruning_table(steps)
    return {
        "sweep": summary,
        "storage": tables.storage_table(summary),
        "arms": pd.read_csv(layout.STORAGE / "summary.csv"),
        "rates": pd.read_csv(layout.STORAGE / "rates.csv"),
        "resize": pd.read_csv(layout.RESIZE / "summary.csv"),
        "resolutions": pd.read_csv(layout.RESIZE / "resolutions.csv"),
        "learning_curves": _learning_curves(baselines),
        "quality": _quality(summary),
        "comparison": tables.comparison_table(baselines),
        "metadata": metadata_table(
            [record for record in baselines if record["variant"] == ORIGINAL],
            _ablations({record["network"] for record in baselines}),
        ),
        "pruning": pruning,
        "pruning_paths": _pruning_paths(pruning),
        "confusion": _confusion(_smallest(pruned) or baselines[-1]),
        "growth": pd.read_csv(layout.GROWTH / "fits.csv"),
        "sizes": pd.read_csv(layout.GROWTH / "sizes.csv"),
        "shortfall": pd.read_csv(layout.SHORTFALL),
        "quarantine": quarantine["reason"].value_counts().rename_axis("reason").reset_index(),
    }


def _learning_curves(baselines: list[Any]) -> pd.DataFrame:
    """Put the epochs of all unpruned trainings into one table."""
    found = {}
    for record in baselines:
        folder = layout.baseline(record["network"]) / record["variant"]
        history = pd.read_csv(folder / "history.csv").drop(columns="seconds")
        found[f"{record['network']}, {record['variant']}"] = history
    return pd.concat(found, names=["series", None]).reset_index(level=0)


def _quality(summary: pd.DataFrame) -> pd.DataFrame:
    """Give the means of the chief metrics after encoding, a row a metric and k."""
    after = summary[(summary["arm"] == "svd") & (summary["stage"] == "after")]
    means = after.set_index("k")[[f"{name}_mean" for name in HEADLINE]]
    return means.melt(var_name="series", value_name="value", ignore_index=False).reset_index()


def _pruning_paths(pruning: pd.DataFrame) -> pd.DataFrame:
    columns = ["num_parameters", "notation", "validation_balanced_accuracy"]
    return pruning[["network", *columns]].rename(columns={"network": "series"})


def _smallest(pruned: Mapping[str, Record]) -> Record | None:
    """Return the smallest accepted network of the first that has one."""
    return next((run["smallest"] for run in pruned.values() if run["smallest"]), None)


def _confusion(record: Record) -> pd.DataFrame:
    """Give a row a test image: its class, and what a network says."""
    classes, counts = record["classes"], np.array(record["confusion"])
    places = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    actual, predicted = np.array(classes)[places]
    return pd.DataFrame({"actual": actual, "predicted": predicted})


def _recipes(names: Iterable[str], slimmed: Iterable[Record]) -> pd.DataFrame:
    """Gather the ledgers; the last network of each recipe has a verdict."""
    found = []
    for name, record in zip(names, slimmed, strict=True):
        ledger, last = pd.read_csv(layout.slimmed(name) / layout.RECIPE_LEDGER), record["verdict"]
        ledger.loc[ledger.index[-1], ["verdict", "reason"]] = [last["word"], last["reason"]]
        found.append(ledger)
    return pd.concat(found, ignore_index=True)


def _ablations(networks: set[str]) -> dict[str, Any]:
    """Read the records of the networks that were also trained on images alone."""
    files = {name: layout.baseline(name) / layout.IMAGE_ONLY / "record.json" for name in networks}
    return {name: read_json(file) for name, file in files.items() if file.exists()}
