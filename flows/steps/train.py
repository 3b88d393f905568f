"""Stage train: train one unpruned network on original and on compressed images."""

import shutil

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import console, note
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.runs import record_folder, record_network, write_provenance
from slimderm.flows.work.sources import LesionSource
from slimderm.flows.work.training import Trainer


@flow(name="train", flow_run_name="train-{network}")
def train(network: str) -> None:
    """Write ``models/<network>/baseline``, a folder for each variant of the dataset."""
    params = read_params()
    tracker = Tracker(params.record)
    trainers = {
        variant: Trainer(params, network, LesionSource(params, variant))
        for variant in layout.VARIANTS
    }
    parent = record_network(tracker, network, trainers["compressed"].key)
    with replacing(layout.baseline(network)) as draft:
        for variant, trainer in trainers.items():
            trained = trainer.tested(trainer.fit(f"{network}: train on {variant} images"))
            shutil.copytree(trained.folder, draft / variant)
            write_json(draft / variant / "record.json", trained.full_record)
            description = trainer.description()
            write_json(draft / variant / "description.json", description)
            write_provenance(draft / variant)
            record_folder(tracker, parent, variant, draft / variant, description)
            console.print(
                f"train: {network} on {variant} images, test balanced accuracy "
                f"{trained.metrics['test_balanced_accuracy']:.3f}",
                highlight=False,
            )
    note("train", trainers["original"].source.copies)
