"""Download HAM10000 in the official layout, for `make data`."""

import sys
from pathlib import Path

from components.dataset.download import OFFICIAL, fetch_dataset
from components.errors import SlimDermError
from flows.runtime import console, progress_bar

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        with progress_bar("download", None) as update:
            fetch_dataset(folder, OFFICIAL, progress=update)
    except SlimDermError as error:
        console.print(f"[bold red]error[/]: {error}", highlight=False)
        raise SystemExit(1) from None
    console.print(f"data: {folder}; next: make run DATA={folder} RECIPE=recipes/paper.yaml")
