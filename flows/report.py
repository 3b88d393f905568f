"""Step: tables and pictures of everything that came before."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from prefect import flow

from components.quality.measure import METRICS
from components.reporting import plots, tables
from components.reporting.page import Section, render, render_markdown
from flows.params import Params, read_params
from flows.runs import record_report
from flows.runtime import console, read_json, replacing, run_step, write_json, write_text

REPORTS = Path("reports")
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
        "comparison": tables.comparison_table(baselines),
        "pruning": tables.pruning_table([step for run in pruned.values() for step in run["steps"]]),
        "growth": pd.read_csv("data/growth/fits.csv"),
        "sizes": pd.read_csv("data/growth/sizes.csv"),
        "shortfall": pd.read_csv("data/shortfall.csv"),
        "quarantine": quarantine["reason"].value_counts().rename_axis("reason").reset_index(),
    }


def _figures(
    frames: dict[str, pd.DataFrame], baselines: list[Any], pruned: dict[str, Any], k: int
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
        "learning_curves": plots.learning_curves(histories),
        "confusion": plots.confusion_matrices(confusions | finals),
        "pruning_path": plots.pruning_path(
            frames["pruning"], "validation_accuracy", "validation accuracy"
        ),
        "growth": plots.growth(paths, frames["growth"], sorted(set(paths["factor"]), reverse=True)),
    }


def _sections(frames: dict[str, pd.DataFrame], choice: dict[str, Any]) -> list[Section]:
    k = choice["k"]
    return [
        Section(
            "Images",
            (choice["reason"], tables.storage_sentence(frames["storage"], k)),
            frames["storage"],
            {
                "plots/size_quality.png": "bytes against quality, with the encoder alone",
                "plots/metrics.png": "every metric against k, with its spread",
            },
        ),
        Section(
            "Networks on original and on compressed images",
            ("Shares. The columns low and high bound the interval over resampled lesions.",),
            frames["comparison"],
            {
                "plots/learning_curves.png": "accuracy against epoch",
                "plots/confusion.png": "confusion matrices on the test part",
            },
        ),
        Section(
            "Pruning",
            ("Each step as tried, accepted or not, and why.",),
            frames["pruning"],
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


@flow(name="report")
def report() -> None:
    """Read ``data`` and ``models``; write ``reports``, and log it to MLflow."""
    os.environ.setdefault("MPLBACKEND", "agg")
    params = read_params()
    baselines, pruned = _baselines(params), _pruned(params)
    choice = read_json("data/choice.json")
    frames = _frames(baselines, pruned)
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
    row = frames["storage"].set_index("k").loc[choice["k"]]
    sentence = tables.storage_sentence(frames["storage"], choice["k"])
    registry = read_json("data/registry.json")
    write_json(
        REPORTS / "metrics.json",
        {"k": choice["k"], **row.to_dict(), "sentence": sentence, "registry": registry},
    )
    record_report(params, REPORTS)
    console.print(f"report: {REPORTS}/index.html", highlight=False)


if __name__ == "__main__":
    run_step(report)
