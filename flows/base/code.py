"""The code that a result depends on, read from the import graph, so that no list goes stale."""

from functools import cache
from pathlib import Path
from typing import Any

from slimderm.components.common.cache import content_key
from slimderm.flows.base.files import file_hash

PACKAGE = "slimderm"
ROOT = Path(__file__).resolve().parents[2]
# Rooms that say when a step runs and with what record, and change no result; parameters enter keys
# by their values.
WIRING = tuple(
    f"{PACKAGE}.{room}"
    for room in (
        "flows.base",
        "flows.config",
        "flows.record",
        "flows.work.chunks",
        "components.common.errors",
        "components.common.settings",
    )
)


@cache
def import_graph() -> Any:
    """Read which module imports which, imports inside functions included (a grimp graph)."""
    import grimp

    return grimp.build_graph(PACKAGE, cache_dir=None)


def code_behind(module: str) -> set[str]:
    """Return a module and all that it imports, directly or indirectly, except `WIRING`.

    Parameters
    ----------
    module : str
        Such as ``slimderm.flows.work.training``.
    """
    graph, found, waiting = import_graph(), set[str](), [module]
    while waiting:
        current = waiting.pop()
        if current in found or _is_wiring(current):
            continue
        found.add(current)
        waiting += graph.find_modules_directly_imported_by(current)
    return found


def code_hash(module: str) -> str:
    """Hash the source of a module and of all that it imports; part of a cache's key.

    Parameters
    ----------
    module : str
        A module's ``__name__``.
    """
    sources = (source_of(name) for name in code_behind(module))
    return content_key(**{str(path.relative_to(ROOT)): file_hash(path) for path in sources})


def source_of(module: str) -> Path:
    """Return the file of a module of this package."""
    place = ROOT.joinpath(*module.split(".")[1:])
    file = place.with_suffix(".py")
    if file.is_file():
        return file
    inside = place / "__init__.py"
    return inside if inside.is_file() else ROOT / PACKAGE / "__init__.py"


def _is_wiring(module: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in WIRING)
