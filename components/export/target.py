"""What a target of export is."""

from collections.abc import Callable
from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class Target:
    """A kind of file that a network is shipped as.

    Attributes
    ----------
    summary : str
        What stands in the file, for people.
    convert : callable
        From a model as `slimderm.components.export.shipped.shipped` gives it to the file's bytes.
    """

    summary: str
    convert: Callable[[keras.Model], bytes]
