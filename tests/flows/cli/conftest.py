"""The program, called in this process in a folder that looks like a clone."""

import pytest
from typer.testing import CliRunner

from slimderm.flows.cli.app import app


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """The current folder: one with a dvc.yaml and parameters that keep everything inside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")  # the program sets it
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "params.yaml").write_text('record: {tracking_uri: "sqlite:///mlflow.db"}\n')
    return tmp_path


@pytest.fixture
def call(monkeypatch):
    """Calls the program; gives its exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        done = CliRunner().invoke(app, [*map(str, arguments)])
        ours = done.exception is None or isinstance(done.exception, SystemExit)
        assert ours, done.exc_info
        return done.exit_code, done.stdout, done.stderr

    return run
