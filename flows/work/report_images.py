"""What the report shows of storing and of shrinking images."""

import pandas as pd

from slimderm.components.common.errors import ParameterError
from slimderm.components.quality.storage_sentences import storage_sentences
from slimderm.components.reporting import storage_plots
from slimderm.components.reporting.page import Section
from slimderm.flows.config.choice import StorageChoice
from slimderm.flows.work.report_tables import Results


def image_sections(results: Results, saved: str) -> list[Section]:
    """Lay out what was tried on images."""
    frames, choice, k = results.frames, results.choice, results.choice.k
    return [
        Section(
            "Bytes and quality at each k",
            (choice.reason, saved),
            frames["storage"],
            {
                "plots/size_quality.png": "kilobytes an image against quality: a line through the "
                "k that were tried, a diamond for the encoder alone",
                "plots/metrics.png": "every quality metric against k, before encoding and as "
                "stored, with its spread; dashed the encoder alone",
            },
        ),
        Section(
            "Storage options",
            (
                "Every codec without SVD and at the chosen k, on a sample of the images.",
                *_storage_sentences(frames["arms"], choice),
            ),
            storage_plots.options_table(frames["arms"], k),
            {
                "plots/rate_distortion.png": "quality against bits per pixel, a line a codec, "
                "dashed with SVD"
            },
        ),
        Section(
            "Bytes at equal quality",
            ("Bjøntegaard rate differences against JPEG without SVD: below zero is fewer bytes.",),
            storage_plots.rates_wide(frames["rates"]),
        ),
        Section(
            "Input size",
            (results.size.reason,),
            frames["resolutions"],
            {
                "plots/input_sizes.png": "at each input size, what is left of an image (SSIM, "
                "PSNR) and what each network costs (parameters, operations)"
            },
        ),
    ]


def _storage_sentences(arms: pd.DataFrame, choice: StorageChoice) -> list[str]:
    """Say what saved the bytes, or that the study did not try what was chosen."""
    k = choice.k if choice.k in set(arms["k"]) else None  # it leaves full rank out
    try:
        return storage_sentences(arms, codec=choice.codec, quality=choice.quality, k=k)
    except ParameterError as error:
        return [f"{error}."]
