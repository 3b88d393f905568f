"""The code that a registered model carries, so that it loads where this clone is not."""

import shutil
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path
from typing import Any

from slimderm.flows.base.code import PACKAGE, ROOT, source_of


@cache
def _graph() -> Any:
    """Read which module imports which, libraries included (a grimp graph)."""
    import grimp

    return grimp.build_graph(
        PACKAGE,
        cache_dir=None,
        include_external_packages=True,
        exclude_type_checking_imports=True,
    )


def _behind(module: str) -> set[str]:
    """Return a module, all that it imports, and the packages that these lie in."""
    graph, found, waiting = _graph(), set[str](), [module]
    while waiting:
        current = waiting.pop()
        if current in found:
            continue
        found.add(current)
        if _is_ours(current):
            waiting += graph.find_modules_directly_imported_by(current)
    parts = [name.split(".") for name in found]
    return found | {".".join(part[:depth]) for part in parts for depth in range(1, len(part))}


def _is_ours(name: str) -> bool:
    return name.split(".", maxsplit=1)[0] == PACKAGE


def copy_code(module: str, folder: Path) -> Path:
    """Copy a module and all of this package that it imports.

    Parameters
    ----------
    module : str
        Such as ``slimderm.components.classification.classifier``.
    folder : path
        What the copy is put into.

    Returns
    -------
    path
        The copied package, a folder; imports work where its parent is on the path.
    """
    for name in sorted(filter(_is_ours, _behind(module))):
        source = source_of(name)
        # Rooms lie in the clone's top folder, and in the package by a symbolic link.
        is_top = name == PACKAGE
        place = Path(PACKAGE, "__init__.py") if is_top else Path(PACKAGE, source.relative_to(ROOT))
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / place)
    return folder / PACKAGE


@cache
def requirements_of(module: str) -> tuple[str, ...]:
    """Name the libraries that a module and what it imports take, each at the version here.

    Returns
    -------
    tuple of str
        As pip has them: ``numpy==2.4.6``.
    """
    distributions = packages_distributions()
    libraries = {name.split(".")[0] for name in _behind(module) if not _is_ours(name)}
    known = {name: distributions[name] for name in libraries & distributions.keys()}
    names = {name if name in owners else owners[0] for name, owners in known.items()}
    return tuple(f"{name}=={version(name)}" for name in sorted(names))
