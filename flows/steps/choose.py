"""Stage choose: pick k from the sweep's table, or a whole storage option from the study's."""

import pandas as pd
from prefect import flow

from slimderm.components.quality.choice import choose_k, choose_option
from slimderm.flows.base.terminal import console
from slimderm.flows.config import layout
from slimderm.flows.config.choice import StorageChoice
from slimderm.flows.config.params import Params, read_params


def _choose(params: Params) -> StorageChoice:
    rule, own = params.choose.rule, params.compress
    if rule == "fewest_bytes":
        option = choose_option(pd.read_csv(layout.STORAGE / "summary.csv"), params.choose.floors)
        evidence = option.evidence.astype(object).where(option.evidence.notna(), None)
        rows = evidence.to_dict("records")
        return StorageChoice(rule, option.reason, option.k, option.codec, option.quality, rows)
    found = choose_k(pd.read_csv(layout.SWEEP / "summary.csv"), params.choose)
    rows = found.evidence.to_dict("records")
    return StorageChoice(rule, found.reason, found.k, own.codec, own.quality, rows)


@flow(name="choose", flow_run_name="choose")
def choose() -> None:
    """Read ``data/sweep`` and ``data/storage``; write ``data/choice.json``.

    It holds k (null: no SVD), codec, quality, the rule, a reason for a person and the evidence.
    """
    choice = _choose(read_params())
    choice.save(layout.CHOICE)
    console.print(f"choose: k = {choice.k}. {choice.reason}", highlight=False)
