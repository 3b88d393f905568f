"""Bring everything up to date, for `make demo` and `make run`."""

from slimderm.flows.base.terminal import command_line, console
from slimderm.flows.reproduce import reproduce

if __name__ == "__main__":
    with command_line():
        if not reproduce():
            console.print("nothing was stale")
