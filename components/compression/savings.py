"""What was saved, and by whom (paper, section 5.2)."""

from dataclasses import dataclass

from slimderm.components.common.errors import ParameterError


def compression_ratio(before: float, after: float) -> float:
    """Size before over size after.

    Raises
    ------
    ParameterError
        If a size is not positive.
    """
    if before <= 0 or after <= 0:
        raise ParameterError(f"sizes: received {before} and {after} bytes, expected positive ones")
    return before / after


def storage_saved(before: float, after: float) -> float:
    """Share of the storage that is saved, (1 - after / before); negative where it grew."""
    return 1 - 1 / compression_ratio(before, after)


@dataclass(frozen=True)
class Attribution:
    """A compression ratio as a product: ``total = encoder * svd``."""

    total: float
    encoder: float
    svd: float


def attribute(before: float, control: float, after: float) -> Attribution:
    """Split a saving between encoder and SVD.

    Parameters
    ----------
    before : float
        Bytes of the source files.
    control : float
        Bytes of the same encoder's files without SVD.
    after : float
        Bytes of its files with SVD.

    Returns
    -------
    Attribution
        ``svd`` below 1 says that the SVD cost bytes.
    """
    return Attribution(
        total=compression_ratio(before, after),
        encoder=compression_ratio(before, control),
        svd=compression_ratio(control, after),
    )
