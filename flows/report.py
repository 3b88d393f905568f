"""Step: tables and pictures of everything that came before."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from prefect import flow

from components.errors import ParameterError
from components.quality.arms import storage_sentences
from components.quality.settings import METRICS
from components.reporting import plots, studies, tables
from components.reporting.page import Section, render, render_markdown
from flows.params import Params, read_params
from flows.runs import record_files
from flows.runtime import console, read_json, replacing, write_json, write_text
from flows.steps import run_step

REPORTS = Path("reports")
TESTED = [
    f"test_{metric}{end}"
    for metric in ("balanced_accuracy", "melanoma_sensitivity")
    for end in ("", "_low", "_high")
]
# Of the tables, what the page shows.
COMPARISON_COLUMNS = ["network", "variant", "train_accuracy", "validation_accuracy", *TESTED]
PRUNING_COLUMNS = [
    "network",
    "notation",
    "num_parameters",
    "share_of_parameters",
    "latency_p50_ms",
    "validation_accuracy",
    "test_balanced_accuracy",
    "accepted",
    "reason",
]
SIZE_QUALITY = {"psnr": "PSNR, dB", "ssim": "SSIM", "haralick_distance": "Haralick distance"}


def _baselines(params: Params) -> list[dict[str, Any]]:
    return [
        read_json(Path("models") / network / "baseline" / variant / "record.json")
        for network in params.networks
        for variant in ("original", "compressed")
    ]


def _pruned(params: Params) -> dict[str, dict[str, Any]]:
    return {
        network: read_json(Path("models") / network / "pruned" / "steps.json")
        for network in params.networks
    }


def _frames(baselines: list[Any], pruned: dict[str, Any]) -> dict[str, pd.DataFrame]:
    summary = pd.read_csv("data/sweep/summary.csv")
    quarantine = pd.read_csv("data/quarantine.csv")
    return {
        "sweep": summary,
        "storage": tables.storage_table(summary),
        "arms": pd.read_csv("data/storage/summary.csv"),
        "rates": pd.read_csv("data/storage/rates.csv"),
        "resize": pd.read_csv("data/resize/summary.csv"),
        "resolutions": pd.read_csv("data/resize/resolutions.csv"),
        "comparison": tables.comparison_table(baselines),
        "pruning": tables.pruning_table([step for run in pruned.values() for step in run["steps"]]),
        "growth": pd.read_csv("data/growth/fits.csv"),
        "sizes": pd.read_csv("data/growth/sizes.csv"),
        "shortfall": pd.read_csv("data/shortfall.csv"),
        "quarantine": quarantine["reason"].value_counts().rename_axis("reason").reset_index(),
    }


def _figures(
    frames: dict[str, pd.DataFrame], baselines: list[Any], pruned: dict[str, Any], k: int | None
) -> dict[str, Figure]:
    finals = {
        f"{name} {run['smallest']['notation']}": run["smallest"]
        for name, run in pruned.items()
        if run["smallest"]
    }
    confusions = {f"{record['network']}, {record['variant']}": record for record in baselines}
    histories = {
        f"{record['network']}, {record['variant']}": pd.read_csv(
            Path("models") / record["network"] / "baseline" / record["variant"] / "history.csv"
        )
        for record in baselines
    }
    paths = pd.read_csv("data/growth/paths.csv")
    labels = {name: metric.label for name, metric in METRICS.items()}
    return {
        "metrics": plots.metrics_against_rank(frames["sweep"], labels, k),
        "size_quality": plots.size_against_quality(frames["sweep"], SIZE_QUALITY),
        "rate_distortion": studies.rate_distortion(frames["arms"], SIZE_QUALITY, k),
        "input_sizes": studies.input_sizes(frames["resize"], frames["resolutions"]),
        "learning_curves": plots.learning_curves(histories),
        "confusion": plots.confusion_matrices(confusions | finals),
        "pruning_path": plots.pruning_path(
            frames["pruning"], "validation_accuracy", "validation accuracy"
        ),
        "growth": plots.growth(paths, frames["growth"], sorted(set(paths["factor"]), reverse=True)),
    }


def _storage_sentences(arms: pd.DataFrame, choice: dict[str, Any]) -> list[str]:
    """Say what saved the bytes, or that the study did not try what was chosen."""
    k = choice["k"] if choice["k"] in set(arms["k"]) else None  # it leaves full rank out
    try:
        return storage_sentences(arms, codec=choice["codec"], quality=choice["quality"], k=k)
    except ParameterError as error:
        return [f"{error}."]


def _sections(frames: dict[str, pd.DataFrame], choice: dict[str, Any]) -> list[Section]:
    k = choice["k"]
    return [
        Section(
            "Images",
            (choice["reason"], *choice["sentences"]),
            frames["storage"],
            {
                "plots/size_quality.png": "bytes against quality, with the encoder alone",
                "plots/metrics.png": "every metric against k, with its spread",
            },
        ),
        Section(
            "Ways to store",
            (
                "Every codec without SVD and at the chosen k, on a sample of the images.",
                *_storage_sentences(frames["arms"], choice),
            ),
            studies.arms_table(frames["arms"], k),
            {"plots/rate_distortion.png": "quality against bits per pixel, dashed with SVD"},
        ),
        Section(
            "Bytes at equal quality",
            ("Bjøntegaard rate differences against JPEG without SVD: below zero is fewer bytes.",),
            studies.rates_wide(frames["rates"]),
        ),
        Section(
            "Input size",
            (choice["size"],),
            frames["resolutions"],
            {"plots/input_sizes.png": "what is left of an image and what a network costs"},
        ),
        Section(
            "Networks on original and on compressed images",
            (
                "Shares. The columns low and high bound the interval over resampled lesions. "
                "tables/comparison.csv has every metric.",
            ),
            frames["comparison"].filter(COMPARISON_COLUMNS),
            {
                "plots/learning_curves.png": "accuracy against epoch",
                "plots/confusion.png": "confusion matrices on the test part",
            },
        ),
        Section(
            "Pruning",
            (
                "Each step as tried, accepted or not, and why. tables/pruning.csv has every width, "
                "size and metric.",
            ),
            frames["pruning"].filter(PRUNING_COLUMNS),
            {"plots/pruning_path.png": "validation accuracy against parameters"},
        ),
        Section(
            "Parameters against iteration",
            ("The paper's figure 2: how fast parameters fall, by which convolutions shrink.",),
            frames["growth"],
            {"plots/growth.png": "parameters against pruning iteration"},
        ),
        Section("Sizes at the paper's input sizes", (), frames["sizes"]),
        Section("What the split could not give", (), frames["shortfall"]),
        Section("Quarantine", (), frames["quarantine"]),
    ]


def _images(storage: pd.DataFrame, choice: dict[str, Any]) -> dict[str, Any]:
    """Say what the compressed dataset saved: by the sweep's table, else by the manifest."""
    way: dict[str, Any] = {name: choice[name] for name in ("codec", "quality", "k")}
    if choice["rule"] != "fewest_bytes":
        row = storage.set_index("k").loc[choice["k"]]
        way |= row.to_dict()
        return way | {"sentence": tables.storage_sentence(storage, choice["k"])}
    manifest = pd.read_parquet("data/compressed/manifest.parquet")
    before, after = manifest["bytes_before"].sum(), manifest["bytes_after"].sum()
    saved = {"compression_ratio": before / after, "storage_saved": 1 - after / before}
    return way | saved | {"sentence": f"The dataset is {before / after:.2f}× smaller."}


@flow(name="report", flow_run_name="report")
def report() -> None:
    """Read ``data`` and ``models``; write ``reports``, and log it to MLflow."""
    os.environ.setdefault("MPLBACKEND", "agg")
    params = read_params()
    baselines, pruned = _baselines(params), _pruned(params)
    frames = _frames(baselines, pruned)
    choice = read_json("data/choice.json")
    choice["size"] = read_json("data/resize/choice.json")["reason"]
    metrics = _images(frames["storage"], choice)
    choice["sentences"] = [metrics["sentence"]]
    figures = _figures(frames, baselines, pruned, choice["k"])
    with replacing(REPORTS / "tables") as draft:
        for name, frame in frames.items():
            frame.to_csv(draft / f"{name}.csv", index=False)
    with replacing(REPORTS / "plots") as draft:
        for name, figure in figures.items():
            figure.savefig(draft / f"{name}.png", dpi=110)
    sections = _sections(frames, choice)
    write_text(REPORTS / "index.html", render("SlimDerm run", sections))
    write_text(REPORTS / "report.md", render_markdown("SlimDerm run", sections))
    registry = read_json("data/registry.json")
    write_json(REPORTS / "metrics.json", metrics | {"registry": registry})
    record_files(params, "reports", "report", REPORTS)
    console.print(f"report: {REPORTS}/index.html", highlight=False)


if __name__ == "__main__":
    run_step(report)
