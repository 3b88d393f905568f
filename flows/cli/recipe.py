"""Put a recipe's sections, or one's own data folder, into ``params.yaml``, for `make run`."""

import argparse
from pathlib import Path

from slimderm.flows.base.terminal import command_line, console
from slimderm.flows.config.recipes import apply_recipe
from slimderm.flows.record.dvc_repository import writing

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    with command_line(), writing():  # a run reads params.yaml again at the end of each stage
        names = apply_recipe(arguments.recipe, arguments.data)
    if names:
        console.print(f"params.yaml: set {', '.join(names)}", highlight=False)
