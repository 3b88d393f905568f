"""A study's networks with their seeds joined, and compared on the same lesions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from slimderm.components.evaluation.comparison import Comparison, rows_of
from slimderm.components.evaluation.metrics import decision_metrics
from slimderm.components.evaluation.noninferiority import MARGINS, PairedComparison, worst
from slimderm.components.pruning.study_settings import CONTROL, UNPRUNED
from slimderm.components.reporting.pruning_fronts import METRICS
from slimderm.flows.config.params import EvaluateSettings
from slimderm.flows.work.study_tables import KEPT, method_names


class Place(NamedTuple):
    """What a network is of a study; all its seeds share it."""

    variant: str
    method: str
    ratio: float


@dataclass(frozen=True)
class Network:
    """All seeds of one: probabilities (S, N, C), and each metric (S, 1 + samples)."""

    probabilities: np.ndarray
    metrics: Mapping[str, np.ndarray]


Networks = Mapping[Place, Network]


class StudyComparison:
    """Compares the networks of a study; intervals resample lesions and seeds.

    Parameters
    ----------
    rows : DataFrame
        As `slimderm.flows.work.study_tables.table` gives them.
    kept : mapping
        As `slimderm.flows.work.study_tables.predictions` gives them.
    melanoma : int, optional
        The class whose recall is the melanoma sensitivity.
    settings : EvaluateSettings
        Of the bootstrap.
    """

    def __init__(
        self,
        rows: pd.DataFrame,
        kept: Mapping[str, np.ndarray],
        melanoma: int | None,
        settings: EvaluateSettings,
    ) -> None:
        bootstrap: dict[str, Any] = {
            "melanoma": melanoma,
            "num_samples": settings.bootstrap_samples,
            "confidence": settings.confidence,
            "seed": settings.seed,
        }
        labels, lesions, probabilities = (
            kept[name] for name in ("labels", "lesions", "probabilities")
        )
        self.comparison = Comparison(labels, lesions, **bootstrap)
        self.paired = PairedComparison(
            labels, lesions, num_classes=probabilities.shape[-1], **bootstrap
        )
        self.rows = rows.assign(method=method_names(rows))
        self.members = {
            Place(*place): part
            for place, part in self.rows.groupby(["variant", "method", "ratio"], sort=False)
        }
        self.networks: Networks = {}
        for place, part in self.members.items():
            own = probabilities[part.index.to_numpy()]
            self.networks |= {place: Network(own, self.comparison.by_seed(own, decision_metrics))}

    def summary(self) -> pd.DataFrame:
        """Join the seeds of each network.

        Returns
        -------
        DataFrame
            One row a variant, method (column ``method``) and ratio: mean costs, and each metric's
            mean over seeds with its interval.
        """
        found = []
        for place, part in self.members.items():
            row = place._asdict() | {"num_seeds": len(part)}
            row |= {name: float(part[name].mean()) for name in ("sparsity", *KEPT)}
            found.append(row | self._columns(self.networks[place].metrics))
        return pd.DataFrame(found)

    def differences(self) -> pd.DataFrame:
        """Compare networks on the same lesions.

        Returns
        -------
        DataFrame
            ``against`` the unpruned network of the same variant; the control that was trained as
            long; the same method on other variants, and what pruning cost there: each metric's
            difference with its interval. Of two networks also ``challenger`` and ``reference``,
            their balanced accuracies, and the ``verdict`` at the margins of
            `slimderm.components.evaluation.noninferiority.MARGINS`.
        """
        found = []
        for place, against, reference in _pairs(self.networks, self._controls()):
            own = self.networks[place]
            pairs = self.paired.differences(
                own.probabilities, reference.probabilities, tuple(METRICS)
            )
            spans = {
                name: (each.challenger - each.reference, each.low, each.high)
                for name, each in pairs.items()
            }
            words = [pairs[name].word(margin) for name, margin in MARGINS.items() if name in pairs]
            judged = pairs["balanced_accuracy"]
            row = place._asdict() | {"against": against, "verdict": str(worst(words))}
            row |= {"challenger": judged.challenger, "reference": judged.reference}
            found.append(row | rows_of(METRICS, spans))
        for place, against, values in _costs_of_pruning(self.networks):
            found.append(place._asdict() | {"against": against} | self._columns(values))
        return pd.DataFrame(found)

    def _columns(self, values: Mapping[str, np.ndarray]) -> dict[str, float]:
        compared = self.comparison
        spans = {name: compared.interval(compared.pooled(each)) for name, each in values.items()}
        return rows_of(METRICS, spans)

    def _controls(self) -> dict[str, str]:
        """Name for each method that inherits weights the control that was trained as long."""
        inherits = self.rows[self.rows["init"] == "inherit"].drop_duplicates("method")
        control = {
            row["schedule"]: row["method"]
            for _, row in inherits[inherits["arm"] == CONTROL].iterrows()
        }
        others = inherits[inherits["arm"] != CONTROL]
        return {
            row["method"]: control[row["schedule"]]
            for _, row in others.iterrows()
            if row["schedule"] in control
        }


def _pairs(networks: Networks, controls: Mapping[str, str]) -> Iterator[tuple[Place, str, Network]]:
    """Yield each network with what it is compared with: a name, and the other network."""
    for place in networks:
        if place.method != UNPRUNED:
            yield place, UNPRUNED, networks[Place(place.variant, UNPRUNED, 0.0)]
        if place.method in controls:
            control = place._replace(method=controls[place.method])
            yield place, CONTROL, networks[control]
        for other in _elsewhere(place, networks):
            yield place, other.variant, networks[other]


def _costs_of_pruning(
    networks: Networks,
) -> Iterator[tuple[Place, str, Mapping[str, np.ndarray]]]:
    """Yield each pruned network with every other variant, and how much more pruning cost here."""
    for place in networks:
        if place.method != UNPRUNED:
            here = _cost(place, networks)
            for other in _elsewhere(place, networks):
                there = _cost(other, networks)
                values = {name: each - there[name] for name, each in here.items()}
                yield place, f"what pruning cost on {other.variant}", values


def _elsewhere(place: Place, networks: Networks) -> Iterator[Place]:
    for other in networks:
        if other.variant != place.variant and other[1:] == place[1:]:
            yield other


def _cost(place: Place, networks: Networks) -> dict[str, np.ndarray]:
    whole = networks[Place(place.variant, UNPRUNED, 0.0)].metrics
    return {name: each - whole[name] for name, each in networks[place].metrics.items()}
