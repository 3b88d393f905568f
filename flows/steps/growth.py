"""Stage growth: parameters against pruning iteration (the paper's figure 2), network sizes."""

from prefect import flow

from slimderm.components.common.cache import replacing
from slimderm.components.pruning.growth import fit_table
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.work.growth import parameters_along_paths, sizes_at_paper_inputs


@flow(name="growth", flow_run_name="growth")
def growth() -> None:
    """Write ``data/growth``: ``paths.csv``, ``fits.csv``, ``sizes.csv``; nothing is trained."""
    params = read_params()
    paths = parameters_along_paths(params)
    with replacing(layout.GROWTH) as draft:
        paths.to_csv(draft / "paths.csv", index=False)
        fit_table(paths).to_csv(draft / "fits.csv", index=False)
        sizes_at_paper_inputs(params).to_csv(draft / "sizes.csv", index=False)
    console.print(f"growth: {len(paths)} widths counted for {', '.join(params.counted_networks)}")
