"""Step: training, validation and test by lesion."""

from pathlib import Path

from prefect import flow

from components.dataset.catalog import read_catalog
from components.dataset.splits import check_no_leak, split
from flows.params import read_params
from flows.runtime import console, write_text
from flows.steps import run_step


@flow(name="split", flow_run_name="split")
def split_lesions() -> None:
    """Read ``data/raw``; write ``data/splits.csv`` and ``data/shortfall.csv``."""
    catalog = read_catalog(Path("data/raw"))
    result = split(catalog, read_params().split)
    check_no_leak(catalog, result.frame)
    write_text("data/splits.csv", result.frame.to_csv(index=False))
    write_text("data/shortfall.csv", result.shortfall.to_csv(index=False))
    sizes = result.frame["part"].value_counts()
    console.print("split: " + ", ".join(f"{part} {sizes[part]}" for part in sizes.index))


if __name__ == "__main__":
    run_step(split_lesions)
