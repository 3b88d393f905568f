"""Rebuild MLflow's runs, versions and evidence from the stages' outputs, for `make backfill`."""

from slimderm.components.common.errors import RecordError
from slimderm.flows.config import layout
from slimderm.flows.config.params import Params, read_params
from slimderm.flows.record import dvc_lock
from slimderm.flows.record.dvc_repository import writing
from slimderm.flows.record.runs import record_files
from slimderm.flows.steps.register import register
from slimderm.flows.steps.review import review


def backfill() -> None:
    """Record what the tracking server lacks; runs and versions that it has stay as they are.

    Raises
    ------
    RecordError
        If outputs are missing here, or were made by other code, data or parameters than are here,
        which is what would be put on record with them.
    """
    params = read_params()
    wanted = [layout.pruned(network) / "steps.json" for network in params.networks]
    wanted += [layout.slimmed(recipe) / "recipe.json" for recipe in params.slim]
    missing = [str(path) for path in [*wanted, layout.TABLES] if not path.exists()]
    if missing:
        raise RecordError(
            f"received a clone without {', '.join(missing)}, expected the stages' outputs; "
            "`make pull` fetches them where dvc.lock is here, `make run` makes them"
        )
    stale = _stale(params)
    if stale:
        raise RecordError(
            f"received stale stages ({', '.join(stale)}), expected models made by the code, data "
            "and parameters that are here; `make run` first"
        )
    with writing():
        register.fn()
        record_files(params, "reports", "report", layout.REPORTS)
        for name in params.studies:
            if (layout.STUDIES / name).exists():
                record_files(params, "studies", name, layout.STUDIES / name)
        review.fn()


def _stale(params: Params) -> list[str]:
    """List the stages behind the models that are stale.

    Those that read no other stage's outputs are left out: what they read came from elsewhere, and a
    clone that got its data versions from the remote need not have it.
    """
    needs, behind = dvc_lock.needs(), set[str]()
    waiting = [f"prune@{network}" for network in params.networks]
    waiting += [f"slim@{recipe}" for recipe in params.slim]
    while waiting:
        stage = waiting.pop()
        if stage not in behind:
            behind.add(stage)
            waiting += needs[stage]
    return [stage for stage in sorted(behind) if needs[stage] and dvc_lock.is_stale(stage)]
