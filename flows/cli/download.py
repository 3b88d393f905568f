"""Download HAM10000 in the official layout, for `make data`."""

import sys
from pathlib import Path

from slimderm.components.dataset.download import fetch_dataset
from slimderm.components.dataset.sources import OFFICIAL
from slimderm.flows.base.terminal import command_line, console, progress_bar

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    with command_line(), progress_bar("download, MB", None) as update:
        fetch_dataset(folder, OFFICIAL, progress=lambda name, n: update(n // 10**6, name))
    console.print(f"data: {folder}; next: make run DATA={folder} RECIPE=recipes/paper.yaml")
