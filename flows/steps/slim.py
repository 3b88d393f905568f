"""Stage slim: make a network smaller by the passes of one recipe."""

from typing import Any

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.runs import record_recipe
from slimderm.flows.work.slim_files import write_recipe
from slimderm.flows.work.slimming import Slimming


@flow(name="slim", flow_run_name="slim-{name}")
def slim(name: str) -> None:
    """Write ``models/slim/<name>``: ``recipe.json``, ``ledger.csv``, and a folder a network."""
    params = read_params()
    slimming = Slimming(params, name)

    def note(record: dict[str, Any]) -> None:
        console.print(
            f"slim: {record['notation']}, {record['num_parameters']:,} parameters, "
            f"{record['ledger']['slim_bytes']:,} bytes, validation accuracy "
            f"{record['metrics']['validation_accuracy']:.3f}",
            highlight=False,
            soft_wrap=True,
        )

    with replacing(layout.slimmed(name)) as draft:
        summary = write_recipe(slimming, draft, note)
        record_recipe(Tracker(params.record), summary, draft)
        write_json(draft / "recipe.json", summary)
    verdict = summary["passes"][-1]["verdict"]
    console.print(
        f"slim: {name} is {verdict['word']}: {verdict['reason']}", highlight=False, soft_wrap=True
    )
