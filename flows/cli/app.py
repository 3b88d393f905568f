"""The program: every command, the panel of the help that it stands in, and what all have in common.

To add a command, write a function in one of the group's files and name it in `PANELS`.
"""

from collections.abc import Callable
from typing import Any

import typer

from slimderm.flows.cli import (
    backups,
    compression,
    export,
    images,
    kiosk,
    models,
    pipeline,
    pruning,
    registry,
    sensitivity,
    servers,
    watching,
    workspace,
)
from slimderm.flows.cli.command import run_as_command

HELP = """Slim images by SVD, slim networks by pruning, and keep a record of both.

Run it in the top folder of a clone; prune and data work anywhere. Each command's --help says what
it reads, what it writes and what it costs.

Exit codes: 0 done; 1 an error, or a check that found something; 2 bad usage.
"""

PANELS: dict[str, tuple[Callable[..., Any], ...]] = {
    "The main job": (pipeline.demo, pipeline.run, pipeline.flow, pipeline.status),
    "Images": (images.data, images.codecs, images.verify),
    "Models": (
        models.predict,
        models.batch,
        models.serve,
        pruning.prune,
        sensitivity.sensitivity,
        compression.pack,
        compression.unpack,
        compression.inspect,
        compression.search,
        export.export,
        kiosk.kiosk,
        watching.watch,
        watching.feedback,
    ),
    "Registry": (
        registry.review,
        registry.evaluate,
        registry.promote,
        registry.rollback,
        registry.lineage,
        registry.backfill,
    ),
    "Servers and machines": (
        servers.up,
        servers.down,
        servers.agent,
        servers.deploy,
        servers.automations,
        servers.remote,
        servers.doctor,
        backups.backup,
        backups.restore,
    ),
    "Parameters": (pipeline.apply, workspace.schema, workspace.make_help),
}
ANYWHERE = {
    images.data,
    pruning.prune,
    sensitivity.sensitivity,
    compression.pack,
    compression.unpack,
    compression.inspect,
    export.export,
    servers.automations,
}

app = typer.Typer(
    name="slimderm",
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, functions in PANELS.items():
    for function in functions:
        command = run_as_command(function, anywhere=function in ANYWHERE)
        app.command(rich_help_panel=panel)(command)
