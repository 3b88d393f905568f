"""A network as a small file for an edge device, judged by its own runtime, in a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slimderm.components.common.errors import IncomparableError, ParameterError
from slimderm.flows.base.keras_loader import load_keras
from slimderm.flows.config.params import read_params
from slimderm.flows.config.registry_policy import RegistrySettings, read_registry
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.registry import Registry, temperature_of
from slimderm.flows.work.edge_network import Network
from slimderm.flows.work.seen import trained_on
from slimderm.flows.work.shipment import Shipment
from slimderm.flows.work.shipped_version import fetch, is_shipped
from slimderm.flows.work.shipping import Shipping

CHAMPION, CHALLENGER, BEST = "champion", "challenger", "best"
DEFAULT = "litert-int8"  # where no labelled images can tell which is best


def find_version(which: str) -> tuple[Registry, Any]:
    """Find a registered version.

    Parameters
    ----------
    which : str
        ``champion``, which must be one that may be served; ``challenger``; or a number.

    Raises
    ------
    RecordError
        If there is no such version, or the champion may not be served.
    """
    load_keras()
    registry = Registry(Tracker(read_params().record))
    if which == CHAMPION:
        return registry, registry.promotions.served()
    if which == CHALLENGER:
        return registry, registry.expected(CHALLENGER)
    return registry, registry.version(which.rpartition("/")[2])


def shipped_file(which: str) -> Shipment | None:
    """Fetch the file that a review has made of a version; None where there is none.

    Raises
    ------
    RecordError
        As `find_version`, or if the file is damaged.
    """
    registry, version = find_version(which)
    return fetch(registry, version) if is_shipped(version) else None


def registered(which: str) -> Network:
    """Load a registered version.

    Parameters
    ----------
    which : str
        As for `find_version`.

    Raises
    ------
    RecordError
        As `find_version`, or if the version cannot be loaded.
    """
    registry, version = find_version(which)
    model, description = registry.load(version)
    try:
        known = trained_on(registry, version)
    except IncomparableError:  # the split is neither here nor in the remote
        known = None
    return Network(
        model,
        f"{version.name} version {version.version}",
        temperature=temperature_of(version),
        description=description,
        trained_on=known,
    )


def check_folder(out: Path) -> None:
    """Refuse a folder that holds something: files of two exports would lie side by side.

    Raises
    ------
    ParameterError
        If it is a file, or a folder that is not empty.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ParameterError(
            f"OUT: received {str(out)!r}, which exists and is no empty folder, expected the name "
            "of a new one"
        )


def export_network(
    network: Network,
    target: str,
    out: Path,
    *,
    encoded: bool = False,
    among: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Convert a network, judge the file by its runtime, and write both with a page.

    Parameters
    ----------
    network : Network
    target : str
        A key of `slimderm.components.export.table.TARGETS`, or ``best``: of `among`, as
        `slimderm.flows.work.shipping.Shipping.best` chooses; or empty: ``best`` where there are
        labelled images, else `DEFAULT`.
    out : path
        A folder that is made.
    encoded : bool
        As for `slimderm.flows.work.shipping.Shipping`.
    among : sequence of str, optional
        Targets of which ``best`` may choose; all whose runtime is installed where not given.

    Returns
    -------
    dict
        What ``ledger.json`` holds.

    Raises
    ------
    ParameterError
        As `slimderm.components.export.artefact.export`, or if the folder holds files.
    ExportError
        If the converter refuses the network, or the runtime does not run the file; then nothing is
        written.
    """
    from slimderm.components.export.table import installed

    check_folder(out)
    settings = read_registry() if network.description else RegistrySettings()
    shipping = Shipping(network, encoded, settings)
    target = target or (BEST if shipping.has_labels else DEFAULT)
    if target == BEST:
        made = shipping.best(among or installed())
    else:
        made = shipping.judge(target, shipping.convert(target))
    made.write(out)
    return made.ledger
