"""Stage train: train one unpruned network on original and on compressed images."""

import shutil

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.dataset.variants import COMPRESSED
from slimderm.flows.base.files import write_json
from slimderm.flows.base.terminal import console, note
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.record.mlflow_store import Tracker
from slimderm.flows.record.provenance import write_provenance
from slimderm.flows.record.runs import record_folder, record_network
from slimderm.flows.work.baselines import TRAINED_ON, unpruned_trainers


@flow(name="train", flow_run_name="train-{network}")
def train(network: str) -> None:
    """Write ``models/<network>/baseline``, a folder for each unpruned training."""
    params = read_params()
    params.check_recipes()
    for sentence in params.train.without_effect():
        note("train", sentence)
    tracker = Tracker(params.record)
    trainers = unpruned_trainers(params, network)
    parent = record_network(tracker, network, trainers[COMPRESSED].key)
    with replacing(layout.baseline(network)) as draft:
        for name, trainer in trainers.items():
            what = TRAINED_ON[name]
            trained = trainer.tested(trainer.fit(f"{network}: train on {what}"))
            shutil.copytree(trained.folder, draft / name)
            write_json(draft / name / "record.json", trained.full_record)
            description = trainer.description()
            write_json(draft / name / "description.json", description)
            write_provenance(draft / name)
            record_folder(tracker, parent, name, draft / name, description)
            console.print(
                f"train: {network} on {what}, test balanced accuracy "
                f"{trained.metrics['test_balanced_accuracy']:.3f}",
                highlight=False,
            )
    note("train", trainers["original"].source.copies)
