"""What `dvc metrics` compares: one file of numbers, in git."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from slimderm.flows.work.report_tables import Results

JUDGED = ("accuracy", "balanced_accuracy", "auroc", "melanoma_sensitivity")
COUNTED = {"parameters": "num_parameters", "bytes": "bytes", "latency_ms": "latency_p50_ms"}
SAVED = ("k", "quality", "compression_ratio", "encoder_ratio", "svd_ratio", "storage_saved")
Record = Mapping[str, Any]


def metrics_file(results: Results, registry: Record) -> dict[str, Any]:
    """Gather the numbers by which two runs are compared.

    Parameters
    ----------
    results : Results
        What the stages left.
    registry : mapping
        As ``data/registry.json`` holds it.

    Returns
    -------
    dict
        ``storage``: what the compressed dataset saved. ``codecs``: by codec, bytes at equal SSIM
        against JPEG without SVD (-0.2 is a fifth fewer). ``networks``: of each, ``unpruned`` and,
        where one is accepted, ``smallest``. ``challenger``, where there is one. Of a network:
        shares of the test part, parameters, bytes, milliseconds. What is not known is left out.
    """
    networks = {
        name: {"unpruned": _network(run["steps"][0])}
        | ({"smallest": _network(run["smallest"])} if run["smallest"] else {})
        for name, run in results.pruned.items()
    }
    found: dict[str, Any] = {
        "storage": _numbers(results.saved_storage(), SAVED),
        "codecs": _codecs(results),
        "networks": networks,
    }
    challenger = registry["challenger"]
    if challenger:
        record = results.find(challenger)
        found["challenger"] = _network(record) | {"bytes": challenger["bytes"]}
    return found


def _network(record: Record) -> dict[str, Any]:
    judged = {name: record["metrics"].get(f"test_{name}") for name in JUDGED}
    counted = {name: record[key] for name, key in COUNTED.items()}
    return _numbers(judged | counted, judged | counted)


def _codecs(results: Results) -> dict[str, Any]:
    rates = results.frames["rates"]
    chosen = rates[(rates["metric"] == "ssim") & rates["k"].isna()]
    return _numbers(dict(zip(chosen["codec"], chosen["rate"], strict=True)), chosen["codec"])


def _numbers(values: Mapping[Any, Any], names: Iterable[Any]) -> dict[Any, Any]:
    known = {name: values.get(name) for name in names}
    return {name: value for name, value in known.items() if pd.notna(value)}
