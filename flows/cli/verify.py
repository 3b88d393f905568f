"""Check the compressed dataset against its manifest, for `make verify`."""

import argparse
from pathlib import Path

import pandas as pd

from slimderm.components.common.errors import RecordError
from slimderm.components.compression.verify import MANIFEST, verify
from slimderm.flows.base.terminal import command_line, console, progress_bar


def check(folder: Path, source: Path) -> pd.DataFrame:
    """Give what differs, as `slimderm.components.compression.verify.verify` does, and print it.

    Raises
    ------
    RecordError
        If the folder holds no manifest.
    """
    try:
        manifest = pd.read_parquet(folder / MANIFEST)
    except FileNotFoundError as error:
        raise RecordError(
            f"{folder / MANIFEST}: not there; `make run` writes the compressed dataset"
        ) from error
    with progress_bar("verify", len(manifest)) as update:
        found = verify(folder, manifest, source=source, progress=update)
    for row in found.itertuples():
        console.print(f"{row.file}: {row.problem} ({row.detail})", highlight=False, soft_wrap=True)
    files = found["file"].nunique()
    if files:
        differ = "1 file differs" if files == 1 else f"{files} files differ"
        console.print(f"verify: {differ} from the manifest of {len(manifest)} images")
    else:
        console.print(f"verify: {len(manifest)} images agree with their manifest")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/compressed"))
    parser.add_argument("--source", type=Path, default=Path("data/raw"))
    arguments = parser.parse_args()
    with command_line():
        differences = check(arguments.folder, arguments.source)
    raise SystemExit(int(len(differences) > 0))
