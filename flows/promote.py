"""Make a version of the registered model the champion, for `make promote`."""

import sys

from components.errors import SlimDermError
from flows.params import read_params
from flows.runtime import console
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
    try:
        chosen = promote(*sys.argv[1:])
    except SlimDermError as error:
        console.print(f"[bold red]error[/]: {error}", highlight=False)
        raise SystemExit(1) from None
    console.print(f"promote: version {chosen} is the champion", highlight=False)
