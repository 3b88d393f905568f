"""The files of a recipe: each network with its `.slim` file, and the ledger of them all."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from slimderm.components.common.cache import cached, content_key
from slimderm.components.evaluation.bootstrap import bootstrap_intervals
from slimderm.flows.base.code import code_hash
from slimderm.flows.base.files import read_json, write_json
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params
from slimderm.flows.work.slimming import Slimming
from slimderm.flows.work.training_run import TrainingRun

# Columns of the ledger's table that come first.
FIRST = [
    "network",
    "notation",
    "parameters",
    "times_fewer_parameters",
    "multiply_accumulates",
    "slim_bytes",
    "times_fewer_bytes",
]
SLIM_FILE, LEDGER = "model.slim", "ledger.json"
METRIC = "balanced_accuracy"


def write_recipe(
    slimming: Slimming, folder: Path, note: Callable[[dict[str, Any]], None]
) -> dict[str, Any]:
    """Apply a recipe; write each network and `ledger.csv`.

    Parameters
    ----------
    slimming : Slimming
        The recipe.
    folder : path
        Gets a folder for each network.
    note : callable
        Called with each record as it is there.

    Returns
    -------
    dict
        ``network``, ``trainer``, ``description``, ``power``; ``passes``: each network's record, the
        last with a verdict, and judged on the test part where it is accepted; ``seeds``: what was
        trained by other seeds to judge it.
    """
    records, networks = [], []
    last = len(slimming.settings.passes)
    for index, network in enumerate(slimming.networks()):
        networks.append(network)
        if index < last:
            record = _kept(slimming, index, network, folder)
        else:
            verdict = slimming.verdict(network)
            judged = slimming.trainer.tested(network) if verdict.accepted else network
            record = _kept(slimming, index, judged, folder, verdict=asdict(verdict))
        records.append(record)
        note(record)
    table(slimming, networks).to_csv(folder / layout.RECIPE_LEDGER, index=False)
    return {
        "network": slimming.network,
        "trainer": slimming.trainer.key,
        "description": slimming.trainer.description(),
        "power": slimming.acceptance.power(slimming.source),
        "passes": records,
        "seeds": slimming.acceptance.keep_seeds(slimming.name, folder),
    }


def _kept(
    slimming: Slimming, index: int, trained: TrainingRun, folder: Path, **more: Any
) -> dict[str, Any]:
    """Copy a network and its `.slim` file into `folder`; return its record and ledger."""
    files = counted(slimming.params, trained)
    place = f"passes/{index:02d}"
    record = slimming.acceptance.keep(
        trained,
        folder,
        place,
        notation=slimming.notations[index],
        settings={"slim": slimming.name} | _settings(slimming, index),
        ledger=read_json(files / LEDGER),
        **more,
    )
    shutil.copy(files / SLIM_FILE, folder / place / SLIM_FILE)
    return record


def _settings(slimming: Slimming, index: int) -> dict[str, Any]:
    given = slimming.settings.passes[index - 1] if index else {}
    return {f"slim.{name}": value for name, value in given.items()}


def counted(params: Params, trained: TrainingRun) -> Path:
    """Write a network's `.slim` file and its ledger, or find both in the cache."""
    key = content_key(
        counted=trained.key, code=code_hash("slimderm.components.network_compression.ledger")
    )

    def count(draft: Path) -> None:
        load_keras()
        from slimderm.components.network_compression.ledger import ledger
        from slimderm.components.network_compression.recipe import kept_code
        from slimderm.components.network_compression.slim_file import save

        model, code = trained.load(), kept_code(trained.folder)
        save(model, draft / SLIM_FILE, code=code)
        write_json(draft / LEDGER, ledger(model, code))

    return cached(params.record.cache, key, count)


def table(slimming: Slimming, networks: Sequence[TrainingRun]) -> pd.DataFrame:
    """Lay out the ledgers of a recipe's networks, a row a network."""
    rows = zip(slimming.notations, networks, strict=True)
    found = pd.DataFrame([{"notation": each} | row(slimming, trained) for each, trained in rows])
    found.insert(0, "network", slimming.network)
    return found[[*FIRST, *found.columns.difference(FIRST, sort=False)]]


def row(slimming: Slimming, trained: TrainingRun) -> dict[str, Any]:
    """Gather a network's ledger, latency, and balanced accuracy with its interval by lesion."""
    ledger: dict[str, Any] = read_json(counted(slimming.params, trained) / LEDGER)
    whole = slimming.acceptance.baseline["num_parameters"]
    evaluate, kept = slimming.params.evaluate, trained.validation
    intervals = bootstrap_intervals(
        kept["labels"],
        kept["probabilities"],
        kept["lesions"],
        num_samples=evaluate.bootstrap_samples,
        confidence=evaluate.confidence,
        seed=evaluate.seed,
    )
    low, high = intervals[METRIC]
    return ledger | {
        "times_fewer_parameters": whole / ledger["parameters"],
        "times_fewer_bytes": 4 * whole / ledger["slim_bytes"],
        "latency_p50_ms": trained.record["latency_p50_ms"],
        f"validation_{METRIC}": trained.metrics[f"validation_{METRIC}"],
        "low": low,
        "high": high,
    }
