"""Rebuild MLflow's record from the stages' outputs, for `make backfill`."""

import os

from slimderm.flows.backfill import backfill
from slimderm.flows.base.terminal import command_line, console

if __name__ == "__main__":
    os.environ.setdefault("MPLBACKEND", "agg")
    with command_line():
        backfill()
    console.print("backfill: every run and version is on record", highlight=False)
