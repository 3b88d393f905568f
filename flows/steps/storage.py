"""Stage storage: bytes and quality of every codec, with and without SVD."""

from prefect import flow

from slimderm.flows.config import layout
from slimderm.flows.config.params import read_params
from slimderm.flows.work.storage_study import measure_storage, sample


@flow(name="storage", flow_run_name="storage")
def storage() -> None:
    """Read ``data/raw``; write ``data/storage``.

    ``measurements.parquet`` has a row an image and storage option, ``summary.csv`` a row an option,
    ``rates.csv`` the Bjøntegaard rate differences against JPEG without SVD, ``left_out.csv`` a row
    an image and option that cannot store it.
    """
    params = read_params()
    measure_storage(sample(params), params, layout.STORAGE)
