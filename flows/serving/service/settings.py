"""What the service is told by its environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from slimderm.components.common.errors import ParameterError
from slimderm.flows.serving.watch.recorder import Kept, check_kept

RUNS = ("file", "keras")


@dataclass(frozen=True)
class ServiceSettings:
    """Limits of the service; each is an environment variable ``SERVE_...`` in capitals.

    Attributes
    ----------
    port : int
    token : str
        What ``Authorization: Bearer`` must hold; empty: nobody is asked.
    max_mb : float
        Of a request.
    rate : str
        Requests that one address may make, such as ``60/minute``.
    at_once : int
        Requests that are answered at the same time: more than cores make each other slower.
    waiting : int
        Requests that wait for their turn; others are sent away.
    origins : str
        Other sites whose pages may ask, with commas between; empty: none.
    watch_seconds : float
        Between two looks at the registry for another champion.
    runs : str
        ``file``: what the version is shipped as, where its review made a file that runs here;
        or ``keras``: its Keras model. Holds for ``make predict``, ``batch`` and ``evaluate``, too.
    record : str
        What is recorded of inputs, never pictures: ``nothing``, ``statistics``, or ``embedding``
        (statistics, and the activations of the last layer but one).
    """

    port: int = 5001
    token: str = ""
    max_mb: float = 20.0
    rate: str = "120/minute"
    at_once: int = 2
    waiting: int = 64
    origins: str = ""
    watch_seconds: float = 10.0
    runs: str = "file"
    record: Kept = "nothing"

    @classmethod
    def read(cls, environment: Mapping[str, str] = os.environ) -> "ServiceSettings":
        """Read the environment.

        Raises
        ------
        ParameterError
            Naming the variable that is at fault.
        """
        given: dict[str, Any] = {}
        for each in fields(cls):
            name = f"SERVE_{each.name.upper()}"
            if text := environment.get(name, ""):
                given[each.name] = _read(name, text, type(each.default))
        return cls(**given)

    @property
    def by_keras(self) -> bool:
        """Whether Keras models answer, also of versions that are shipped as a file."""
        return self.runs == "keras"

    def __post_init__(self) -> None:
        for name in ("port", "max_mb", "at_once", "waiting", "watch_seconds"):
            if not getattr(self, name) > 0:
                raise ParameterError(
                    f"SERVE_{name.upper()}: received {getattr(self, name)}, expected a number "
                    "above 0"
                )
        if self.runs not in RUNS:
            raise ParameterError(
                f"SERVE_RUNS: received {self.runs!r}, expected one of {', '.join(RUNS)}"
            )
        check_kept("SERVE_RECORD", self.record)
        from limits import parse

        try:
            parse(self.rate)
        except ValueError as error:
            raise ParameterError(
                f"SERVE_RATE: received {self.rate!r}, expected a number and a time, such as "
                "120/minute"
            ) from error


def _read(name: str, text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        expected = "a whole number" if kind is int else "a number"
        raise ParameterError(f"{name}: received {text!r}, expected {expected}") from error
