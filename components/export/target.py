"""What a target of export is, and the runtime that its files are for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from slimderm.components.common.errors import ParameterError

if TYPE_CHECKING:
    import keras

Inputs = Mapping[str, npt.NDArray[np.float32]]  # by their names, N rows each
HERE = Path(__file__).parent


def rows(inputs: Inputs) -> Iterator[dict[str, npt.NDArray[np.float32]]]:
    """Yield inputs one image at a time, as files take them."""
    for number in range(len(next(iter(inputs.values())))):
        yield {name: each[number : number + 1] for name, each in inputs.items()}


@dataclass(frozen=True)
class Runtime:
    """A library that runs shipped files, and with it alone a file is judged.

    Attributes
    ----------
    name : str
        For people, and of ``run_<name>.py``, which loads a file with default settings, and of
        ``templates/<name>.md.jinja``, which says how to call it.
    module : str
        What is imported.
    package : str
        What is installed, as for pip.
    suffix : str
        Of a file that it runs.
    """

    name: str
    module: str
    package: str
    suffix: str

    @property
    def program(self) -> Path:
        """The file with the function ``load``, which needs the library and NumPy alone."""
        return HERE / f"run_{self.name}.py"

    @property
    def is_installed(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.module) is not None

    def check(self) -> None:
        """Refuse a runtime that is not installed.

        Raises
        ------
        ParameterError
            The message says how to install it.
        """
        if not self.is_installed:
            raise ParameterError(
                f"target: received one for {self.module}, which is not installed here, expected "
                f"one for a library that is; `pip install {self.package}` adds it"
            )


@dataclass(frozen=True)
class Target:
    """A kind of file that a network is shipped as.

    Attributes
    ----------
    summary : str
        What stands in the file, for people.
    runtime : Runtime
        Runs the file, and judges it.
    convert : callable
        From a model as `slimderm.components.export.shipped.shipped` gives it, and images on which
        ranges of activations are measured (none where not `calibrated`), to the file's bytes.
    calibrated : bool
        Whether it needs such images.
    """

    summary: str
    runtime: Runtime
    convert: "Callable[[keras.Model, Inputs], bytes]"
    calibrated: bool = False
