"""What every command shares: how it ends, what it prints for a script, and the clone it needs."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any

import typer

from slimderm.components.common.errors import ParameterError
from slimderm.flows.base.terminal import command_line, console
from slimderm.flows.config import layout

Json = Annotated[bool, typer.Option("--json", help="Print JSON alone, for scripts.")]


@dataclass(frozen=True)
class Answer:
    """What a command found: a value for ``--json``, and whether a check passed."""

    value: Any
    passed: bool = True


def run_as_command(
    function: Callable[..., Answer | None], *, anywhere: bool
) -> Callable[..., None]:
    """Make a function a command of the program.

    Parameters
    ----------
    function : callable
        Prints for people. One with a parameter `as_json` returns an `Answer`, and what it prints is
        dropped when that is true.
    anywhere : bool
        Whether it works outside a clone.

    Returns
    -------
    callable
        Of the same signature. It exits with 1 on an error of ours and on a check that failed.
    """

    @wraps(function)
    def command(*arguments: Any, **options: Any) -> None:
        os.environ.setdefault("MPLBACKEND", "agg")  # pictures go to files only
        as_json = bool(options.get("as_json"))
        with _stdout_for_json_alone(as_json), command_line():
            if not anywhere:
                require_clone()
            with _silent_console(as_json):
                answer = function(*arguments, **options)
        if answer is None:
            return
        if as_json:
            sys.stdout.write(json.dumps(answer.value, indent=2) + "\n")
        if not answer.passed:
            raise typer.Exit(1)

    return command


def require_clone() -> None:
    """Refuse to go on outside a clone's top folder.

    Raises
    ------
    ParameterError
        If the current folder holds no ``dvc.yaml``.
    """
    if not layout.DVC_YAML.exists():
        raise ParameterError(
            f"received the folder {layout.DVC_YAML.absolute().parent}, which holds no "
            f"{layout.DVC_YAML}, expected the top folder of a clone of SlimDerm; go there first"
        )


@contextlib.contextmanager
def _stdout_for_json_alone(wanted: bool) -> Iterator[None]:
    """Send what is printed inside the block, errors included, to stderr."""
    if wanted:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    else:
        yield


@contextlib.contextmanager
def _silent_console(wanted: bool) -> Iterator[None]:
    """Drop what is printed for people inside the block."""
    console.quiet = wanted
    try:
        yield
    finally:
        console.quiet = False


def say(text: str) -> None:
    """Print a text as it is: no markup, no colours, no line breaks added."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
