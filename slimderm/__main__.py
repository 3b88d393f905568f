"""The command-line program: ``slimderm``, or ``python -m slimderm`` in a clone."""


def main() -> None:
    """Run the program.

    Raises
    ------
    SystemExit
        With the exit code that ``slimderm --help`` explains.
    """
    try:
        from slimderm.flows.cli.app import app
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"slimderm: {error.name} is not installed; the program needs the platform: "
            "pip install 'slimderm[platform]'"
        ) from error
    app(prog_name="slimderm")


if __name__ == "__main__":
    main()
