"""Download HAM10000 in the official layout, for `make data`."""

import sys
from pathlib import Path

from components.dataset.download import OFFICIAL, fetch_dataset
from components.errors import SlimDermError
from flows.runtime import console, progress_bar

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    try:
        with progress_bar("download, MB", None) as update:
            fetch_dataset(folder, OFFICIAL, progress=lambda name, n: update(n // 10**6, name))
    except SlimDermError as error:
        console.print(f"[bold red]error[/]: {error}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    console.print(f"data: {folder}; next: make run DATA={folder} RECIPE=recipes/paper.yaml")
