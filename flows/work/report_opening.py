"""What the report opens with, put together from what the stages left."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from slimderm.components.dataset.catalog import read_catalog
from slimderm.components.dataset.copies import copies_sentence
from slimderm.components.dataset.images import read_image
from slimderm.components.dataset.synthetic import is_drawn
from slimderm.components.reporting.before_after import before_and_after
from slimderm.components.reporting.opening import Block, Change, Opening, Picture, Verdict
from slimderm.components.reporting.wording import (
    FASTER,
    FEWER,
    SMALLER,
    causes,
    change,
    what_did_it,
    write_bytes,
)
from slimderm.flows.config import layout
from slimderm.flows.work.report_accuracy import accuracy, counts_table, stands_on
from slimderm.flows.work.report_tables import Record, Results

DRAWN = (
    "Drawn data. A program drew these images (the stage synthesize); no camera took them. The "
    "figures show that the pipeline runs. They say nothing about skin, melanoma or patients."
)
NOT_MEDICAL = "Not a medical device: nobody has validated these models clinically."


def opening(
    results: Results,
    registry: Record,
    *,
    rule: str,
    made: Sequence[str],
    links: Mapping[str, str],
) -> Opening:
    """Answer what a person asks of a run first.

    Parameters
    ----------
    results : Results
        What the stages left.
    registry : mapping
        As ``data/registry.json`` holds it.
    rule : str
        The rule of acceptance.
    made : sequence of str
        When, and of which commit.
    links : mapping
        As `slimderm.flows.record.page_links.pages` gives them.
    """
    catalog, splits = read_catalog(layout.RAW), pd.read_csv(layout.SPLITS)
    manifest = pd.read_parquet(layout.MANIFEST)
    smallest = results.find(registry["challenger"]) if registry["challenger"] else None
    copies = copies_sentence(results.frames["shortfall"])
    return Opening(
        facts=[*made, stands_on(catalog)],
        warnings=[DRAWN] if is_drawn(catalog) else [],
        blocks=[_images(results, manifest), _network(results, registry, smallest)],
        accuracy=accuracy(results, smallest, splits),
        verdict=_verdict(smallest, rule, splits),
        sentences=[*filter(None, (copies, *results.power)), NOT_MEDICAL],
        counts=counts_table(splits),
        pictures=_pictures(manifest),
        links=links,
    )


def _images(results: Results, manifest: pd.DataFrame) -> Block:
    """From how many bytes to how many, at which quality, and whether SVD or the encoder did it."""
    option = results.choice.option
    before, after = int(manifest["bytes_before"].sum()), int(manifest["bytes_after"].sum())
    encoder, svd = results.ratios()
    names = (f"encoder: {option.codec}, quality {option.quality}", f"SVD, k = {option.k}")
    parts = dict(zip(names, (encoder, svd), strict=True)) if option.k is not None else {}
    return Block(
        "Images",
        f"{stands_on(manifest, lesions=False)}, each stored as {option.codec} of quality "
        f"{option.quality}" + (f" after SVD at k = {option.k}" if option.k is not None else ""),
        [
            change("size of the files", before, after, write=write_bytes, words=SMALLER),
            Change(
                "quality, mean SSIM (1 is the original)",
                "1",
                f"{manifest['ssim'].mean():.4f}",
                f"worst image {manifest['ssim'].min():.4f}, "
                f"mean PSNR {_decibels(manifest['psnr'].mean())}",
            ),
        ],
        causes(parts),
        [what_did_it(encoder, svd) if parts else "No SVD was taken: the encoder did it alone."],
    )


def _decibels(psnr: float) -> str:
    return f"{psnr:.1f} dB" if math.isfinite(psnr) else "without limit: nothing was lost"


def _network(results: Results, registry: Record, smallest: Record | None) -> Block:
    """From which network to which."""
    if smallest is None:
        return Block(
            "Network", "No smaller network was accepted.", sentences=list(registry["endings"])
        )
    first = results.unpruned(smallest["network"])
    size = registry["challenger"]["bytes"]
    whole = "unpruned" if smallest["notation"] != first["notation"] else "which stays unpruned"
    return Block(
        "Network",
        f"{smallest['network']}, {whole} → {smallest['notation']} "
        f"({registry['model']} version {registry['challenger']['version']}, the challenger)",
        [
            change(
                "parameters",
                first["num_parameters"],
                smallest["num_parameters"],
                write="{:,.0f}".format,
                words=FEWER,
            ),
            change(
                "size of the file",
                first["bytes"],
                size,
                write=write_bytes,
                words=SMALLER,
                note=".keras to .slim" if "ledger" in smallest else "",
            ),
            change(
                "time of one image, median",
                first["latency_p50_ms"],
                smallest["latency_p50_ms"],
                write="{:.3g} ms".format,
                words=FASTER,
                note="where it was trained",
            ),
        ],
    )


def _verdict(smallest: Record | None, rule: str, splits: pd.DataFrame) -> Verdict | None:
    if smallest is None:
        return None
    judged = stands_on(splits[splits["part"] == "validation"])
    given = smallest["verdict"]
    return Verdict(
        given["word"], f"by the rule {rule}, on validation, {judged}:", f"{given['reason']}."
    )


def _pictures(manifest: pd.DataFrame) -> list[Picture]:
    """Show the image whose quality is the median, the first of equals."""
    order = manifest.sort_values(["ssim", "image_id"], ignore_index=True)
    row = order.iloc[(len(order) - 1) // 2]
    quality = f"SSIM {row['ssim']:.4f}, PSNR {_decibels(row['psnr'])}"
    return before_and_after(
        read_image(layout.RAW / row["source_file"]),
        read_image(layout.COMPRESSED / row["file"]),
        name=f"the middle of {row['image_id']}, the image of median SSIM,",
        before=f"before: {row['image_id']} (median SSIM), its middle, "
        f"{write_bytes(row['bytes_before'])}",
        after=f"after: {write_bytes(row['bytes_after'])}, {quality}",
    )
