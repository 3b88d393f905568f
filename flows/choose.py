"""Step: pick k from the sweep's table."""

from dataclasses import asdict

import pandas as pd
from prefect import flow

from components.quality.choice import choose_k
from flows.params import read_params
from flows.runtime import console, run_step, write_json


@flow(name="choose")
def choose() -> None:
    """Read ``data/sweep/summary.csv``; write ``data/choice.json``."""
    choice = choose_k(pd.read_csv("data/sweep/summary.csv"), read_params().choose)
    evidence = choice.evidence.to_dict("records")
    write_json("data/choice.json", asdict(choice) | {"evidence": evidence})
    console.print(f"choose: k = {choice.k}. {choice.reason}", highlight=False)


if __name__ == "__main__":
    run_step(choose)
