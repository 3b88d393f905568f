"""Step: parameters against pruning iteration (the paper's figure 2), sizes at each input size."""

from functools import partial

from prefect import flow

from components.pruning.growth import fit_table, path_table
from components.pruning.settings import FACTORS
from components.pruning.widths import Widths, prune
from components.training.architectures import get
from components.training.counts import count_parameters
from components.training.sizes import size_table
from flows.params import read_params
from flows.runtime import console, read_json, replacing
from flows.steps import run_step


def halve(widths: tuple[int, ...]) -> tuple[int, ...]:
    """Shrink widths by one iteration of 50 %."""
    return prune(Widths(widths, ()), 50).convolutions


@flow(name="growth", flow_run_name="growth")
def growth() -> None:
    """Write ``data/growth``: ``paths.csv``, ``fits.csv``, ``sizes.csv``; nothing is trained."""
    params = read_params()
    choice = read_json("data/resize/choice.json")
    shape = (choice["height"], choice["width"], 3)
    num_classes = sum(bool(diagnoses) for diagnoses in params.ingest.classes.values())

    def count(network: str, widths: Widths) -> int:
        return count_parameters(
            network,
            num_classes=num_classes,
            input_shape=shape,
            convolutions=widths.convolutions,
            dense=widths.dense,
        ).total

    starts = {name: Widths(get(name).convolutions, get(name).dense) for name in params.networks}
    counters = {name: partial(count, name) for name in starts}
    paths = path_table(starts, counters, FACTORS)
    fits = fit_table(paths)
    with replacing("data/growth") as draft:
        paths.to_csv(draft / "paths.csv", index=False)
        fits.to_csv(draft / "fits.csv", index=False)
        sizes = size_table(params.networks, num_classes=num_classes, halve=halve)
        sizes.to_csv(draft / "sizes.csv", index=False)
    console.print(f"growth: {len(paths)} widths counted for {', '.join(params.networks)}")


if __name__ == "__main__":
    run_step(growth)
