"""Step: train one unpruned network on original and on compressed images."""

import shutil
import sys

from prefect import flow

from components.pruning.widths import Widths
from components.training.networks import get
from flows.fitting import FOLDERS, Workshop
from flows.params import read_params
from flows.runs import record_fitted, record_network
from flows.runtime import console, replacing, run_step, write_json
from flows.tracking import Tracker


@flow(name="train")
def train(network: str) -> None:
    """Write ``models/<network>/baseline``, a folder for each variant of the dataset."""
    params = read_params()
    tracker = Tracker(params.record)
    widths = Widths(get(network).convolutions, get(network).dense)
    with replacing(f"models/{network}/baseline") as draft:
        for variant in FOLDERS:
            workshop = Workshop(params, network, variant)
            fitted = workshop.fit(widths, f"{network}: train on {variant} images")
            result = fitted.record | workshop.test(fitted) | {"key": fitted.key}
            result["metrics"] = fitted.metrics | workshop.test(fitted)["metrics"]
            shutil.copytree(fitted.folder, draft / variant)
            write_json(draft / variant / "record.json", result)
            parent = record_network(tracker, params, network)
            record_fitted(tracker, parent, variant, draft / variant, workshop.description())
            console.print(
                f"train: {network} on {variant} images, test balanced accuracy "
                f"{result['metrics']['test_balanced_accuracy']:.3f}"
            )


if __name__ == "__main__":
    run_step(train, *sys.argv[1:])
