"""Step: write the whole dataset at the chosen k."""

from pathlib import Path

from prefect import flow

from components.compression.write import write_compressed
from components.dataset.catalog import read_catalog
from flows.params import read_params
from flows.runtime import console, progress_bar, read_json, replacing, run_step

RAW, COMPRESSED = Path("data/raw"), Path("data/compressed")


@flow(name="compress")
def compress() -> None:
    """Read ``data/raw`` and ``data/choice.json``; write ``data/compressed`` with its manifest."""
    params = read_params()
    catalog = read_catalog(RAW).sort_values("image_id")
    k = read_json("data/choice.json")["k"]
    with replacing(COMPRESSED) as draft, progress_bar("compress", len(catalog)) as update:
        manifest = write_compressed(
            RAW,
            catalog["file"].tolist(),
            draft,
            k=k,
            codec=params.compress.codec,
            quality=params.compress.quality,
            workers=params.record.workers,
            progress=update,
        )
        manifest.to_csv(draft / "manifest.csv", index=False)
    before, after = manifest["bytes_before"].sum(), manifest["bytes_after"].sum()
    console.print(
        f"compress: {len(manifest)} images at k = {k}, {before / 1e6:.1f} MB before, "
        f"{after / 1e6:.1f} MB after",
        highlight=False,
    )


if __name__ == "__main__":
    run_step(compress)
