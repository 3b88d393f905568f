"""Files of the workspace: the parameters' schema, and the Makefile's help."""

import re
from pathlib import Path
from typing import Annotated

import typer

from slimderm.flows.cli.command import say
from slimderm.flows.config import layout


def schema(
    path: Annotated[Path, typer.Argument(help="Where the schema goes.")] = layout.PARAMS_SCHEMA,
) -> None:
    """Write the JSON schema of params.yaml.

    Reads the parameters' classes. Writes the file by which editors complete and check params.yaml.
    Takes a second.
    """
    from slimderm.flows.config.schema import write_schema

    write_schema(path)
    say(f"schema: {path}")


def make_help(context: typer.Context) -> None:
    """List the targets of the Makefile.

    Reads Makefile. A target with a command's name is explained by that command's first sentence;
    behind its ## stand the variables that it takes. Other targets are explained behind ##.
    """
    commands = getattr(context.find_root().command, "commands", {})
    for target, noted in re.findall(
        r"^([a-z-]+):.*?##(.*)$", layout.MAKEFILE.read_text(), re.MULTILINE
    ):
        text = noted.strip()
        if target in commands:
            sentence = commands[target].help.split("\n\n")[0].rstrip(".")
            text = f"{sentence}: {text}" if text else sentence
        say(f"  make {target:<10} {text}")
