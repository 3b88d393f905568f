"""Study any folder of images: which codec stores them in the fewest bytes, for `make study`."""

import argparse
import os
from pathlib import Path

from slimderm.flows.base.terminal import command_line
from slimderm.flows.work.storage_study import study_folder

if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--target", type=Path, default=Path("reports/storage"))
    parser.add_argument("--k", type=int, default=350, help="rank of the sentences and the picture")
    arguments = parser.parse_args()
    with command_line():
        study_folder(arguments.images, arguments.target, arguments.k)
