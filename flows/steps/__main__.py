"""Run one stage as a process of its own, as ``dvc repro`` does."""

import sys

from slimderm.flows.base.terminal import command_line
from slimderm.flows.steps.table import make

if __name__ == "__main__":
    with command_line():
        make("@".join(sys.argv[1:]))
