"""Step: train one unpruned network on original and on compressed images."""

import shutil
import sys

from prefect import flow

from flows.examples import FOLDERS, LesionSource
from flows.fitting import Workshop
from flows.params import read_params
from flows.runs import record_folder, record_network, sign
from flows.runtime import console, replacing, write_json
from flows.steps import run_step
from flows.tracking import Tracker


@flow(name="train", flow_run_name="train-{network}")
def train(network: str) -> None:
    """Write ``models/<network>/baseline``, a folder for each variant of the dataset."""
    params = read_params()
    tracker = Tracker(params.record)
    workshops = {
        variant: Workshop(params, network, LesionSource(params, variant)) for variant in FOLDERS
    }
    parent = record_network(tracker, network, workshops["compressed"].key)
    with replacing(f"models/{network}/baseline") as draft:
        for variant, workshop in workshops.items():
            fitted = workshop.tested(workshop.fit(f"{network}: train on {variant} images"))
            shutil.copytree(fitted.folder, draft / variant)
            write_json(draft / variant / "record.json", fitted.full_record)
            description = workshop.description()
            write_json(draft / variant / "description.json", description)
            sign(draft / variant)
            record_folder(tracker, parent, variant, draft / variant, description)
            console.print(
                f"train: {network} on {variant} images, test balanced accuracy "
                f"{fitted.metrics['test_balanced_accuracy']:.3f}",
                highlight=False,
            )


if __name__ == "__main__":
    run_step(train, *sys.argv[1:])
