"""What the report shows: every stage's tables, read once."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Self

import pandas as pd

from slimderm.components.dataset.variants import ORIGINAL
from slimderm.components.reporting import tables
from slimderm.components.reporting.metadata_table import metadata_table
from slimderm.flows.base.files import read_json
from slimderm.flows.config import layout
from slimderm.flows.config.choice import InputSize, StorageChoice, input_size, storage_choice
from slimderm.flows.config.params import Params


@dataclass(frozen=True)
class Results:
    """What the stages left.

    Attributes
    ----------
    baselines : list of dict
        Records of the unpruned trainings, of each network and variant.
    pruned : dict
        Network to its steps and the smallest accepted one.
    frames : dict
        Name to table, as ``reports/tables`` holds them.
    choice, size
        What was chosen.
    """

    baselines: list[dict[str, Any]]
    pruned: dict[str, dict[str, Any]]
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
        if params.slim:
            frames["recipes"] = _recipes(params.slim)
        return cls(baselines, pruned, frames, storage_choice(), input_size())

    @property
    def power(self) -> list[str]:
        """What each network's validation part can resolve, in words, each sentence once."""
        return list(dict.fromkeys(f"{run['power']}." for run in self.pruned.values()))

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
    return {
        "sweep": summary,
        "storage": tables.storage_table(summary),
        "arms": pd.read_csv(layout.STORAGE / "summary.csv"),
        "rates": pd.read_csv(layout.STORAGE / "rates.csv"),
        "resize": pd.read_csv(layout.RESIZE / "summary.csv"),
        "resolutions": pd.read_csv(layout.RESIZE / "resolutions.csv"),
        "comparison": tables.comparison_table(baselines),
        "metadata": metadata_table(
            [record for record in baselines if record["variant"] == ORIGINAL],
            _ablations({record["network"] for record in baselines}),
        ),
        "pruning": tables.pruning_table([step for run in pruned.values() for step in run["steps"]]),
        "growth": pd.read_csv(layout.GROWTH / "fits.csv"),
        "sizes": pd.read_csv(layout.GROWTH / "sizes.csv"),
        "shortfall": pd.read_csv(layout.SHORTFALL),
        "quarantine": quarantine["reason"].value_counts().rename_axis("reason").reset_index(),
    }


def _recipes(names: Collection[str]) -> pd.DataFrame:
    """Gather the ledgers; the last network of each recipe has a verdict."""
    found = []
    for name in names:
        folder = layout.slimmed(name)
        ledger = pd.read_csv(folder / layout.RECIPE_LEDGER)
        last = read_json(folder / "recipe.json")["passes"][-1]["verdict"]
        ledger.loc[ledger.index[-1], ["verdict", "reason"]] = [last["word"], last["reason"]]
        found.append(ledger)
    return pd.concat(found, ignore_index=True)


def _ablations(networks: set[str]) -> dict[str, Any]:
    """Read the records of the networks that were also trained on images alone."""
    files = {name: layout.baseline(name) / layout.IMAGE_ONLY / "record.json" for name in networks}
    return {name: read_json(file) for name, file in files.items() if file.exists()}
