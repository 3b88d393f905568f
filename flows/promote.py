"""Make a version of the registered model the champion, for `make promote`."""

import sys

from flows.params import read_params
from flows.runtime import command_line, console
from flows.tracking import Tracker


def promote(version: str | None = None) -> str:
    """Point the alias ``champion`` at `version`, by default at the challenger.

    Returns
    -------
    str
        The version that is champion now.
    """
    tracker = Tracker(read_params().record)
    if version is None:
        version = str(tracker.aliased("challenger")[1].version)
    tracker.set_alias("champion", version)
    return version


if __name__ == "__main__":
    with command_line():
        chosen = promote(*sys.argv[1:])
    console.print(f"promote: version {chosen} is the champion", highlight=False)
