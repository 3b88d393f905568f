"""Bring everything up to date as ``dvc repro`` does, with DVC's errors but not its chatter."""

from flows import ledger
from flows.runtime import command_line

if __name__ == "__main__":
    with command_line():
        ledger.reproduce()
