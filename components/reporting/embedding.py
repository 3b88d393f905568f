"""Pictures as addresses that hold them, so that a page is one file."""

import base64
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from slimderm.components.reporting.page import Section

DPI = 110  # of every picture of a report


def png_address(data: bytes) -> str:
    """Give a PNG file as an address."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def figure_address(figure: Figure) -> str:
    """Give a figure as an address."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI)
    return png_address(stream.getvalue())


def pixels_address(pixels: npt.NDArray[Any]) -> str:
    """Give a uint8 array (H, W, 3) as an address; nothing of it is lost."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="png", optimize=True)
    return png_address(stream.getvalue())


def embed(sections: Sequence[Section], folder: Path) -> list[Section]:
    """Put the PNG files that sections name into the sections themselves.

    Parameters
    ----------
    sections : sequence of Section
        Pictures are paths relative to `folder`.
    folder : path
        Holds the files.

    Raises
    ------
    OSError
        If one is missing.
    """
    return [
        replace(
            section,
            pictures={
                png_address((folder / path).read_bytes()): text
                for path, text in (section.pictures or {}).items()
            },
        )
        for section in sections
    ]
