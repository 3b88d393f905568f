"""Step: pick k from the sweep's table, or a whole way to store from the storage study's."""

from dataclasses import asdict
from typing import Any

import pandas as pd
from prefect import flow

from components.quality.choice import choose_arm, choose_k
from flows.params import Params, read_params
from flows.runtime import console, write_json
from flows.steps import run_step


def _choose(params: Params) -> dict[str, Any]:
    if params.choose.rule == "fewest_bytes":
        arm = choose_arm(pd.read_csv("data/storage/summary.csv"), params.choose.floors)
        evidence = arm.evidence.astype(object).where(arm.evidence.notna(), None)
        return asdict(arm) | {"rule": params.choose.rule, "evidence": evidence.to_dict("records")}
    choice = choose_k(pd.read_csv("data/sweep/summary.csv"), params.choose)
    encoder = {"codec": params.compress.codec, "quality": params.compress.quality}
    return asdict(choice) | encoder | {"evidence": choice.evidence.to_dict("records")}


@flow(name="choose", flow_run_name="choose")
def choose() -> None:
    """Read ``data/sweep`` and ``data/storage``; write ``data/choice.json``.

    It holds k (null: no SVD), codec, quality, the rule, a reason for a person and the evidence.
    """
    choice = _choose(read_params())
    write_json("data/choice.json", choice)
    console.print(f"choose: k = {choice['k']}. {choice['reason']}", highlight=False)


if __name__ == "__main__":
    run_step(choose)
