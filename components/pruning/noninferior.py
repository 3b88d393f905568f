"""The rule noninferior: a pruned network beside the unpruned one, on the same validation lesions.

How the errors of many verdicts stay bounded, and where that comes from, says
docs/decisions/0021-noninferior.md.
"""

from collections.abc import Callable

import numpy as np

from slimderm.components.common.errors import ParameterError
from slimderm.components.evaluation.bootstrap import bootstrap_intervals
from slimderm.components.evaluation.metrics import Probabilities, classification_metrics
from slimderm.components.evaluation.noninferiority import PairedComparison, Word, worst
from slimderm.components.pruning.verdict import Case, Demands, Validation, Verdict

REFERENCE = "reference"


def noninferior(case: Case) -> Verdict:
    """Accept what is not worse than the unpruned network by more than the margins.

    Where the interval reaches across a margin, both networks are trained by another seed and the
    seeds are pooled, until it no longer does or `Demands.max_seeds` are used up. The unpruned
    network is the reference, refused only where it cannot be told from chance.

    Raises
    ------
    ParameterError
        When the case has no validation predictions.
    """
    if case.validation is None:
        raise ParameterError(
            "acceptance: received no validation predictions, expected those of the network and of "
            "the unpruned one; the rule noninferior compares them image by image"
        )
    if case.parent is None:
        return _reference(case.validation, case.demands)
    if not case.parent.accepted:
        return Verdict(
            False,
            "not compared: what it was pruned from was not accepted, and the order along a branch "
            "is fixed",
            Word.INCONCLUSIVE,
        )
    comparison = paired(case.validation, case.demands)
    return compare(comparison, case.validation.predict, case.demands)


def _reference(validation: Validation, demands: Demands) -> Verdict:
    probabilities, _ = validation.predict(0)
    labels, name = validation.labels, "balanced_accuracy"
    value = classification_metrics(labels, probabilities)[name]
    low, high = bootstrap_intervals(
        labels,
        probabilities,
        validation.lesions,
        num_samples=demands.num_samples,
        confidence=demands.confidence,
        seed=demands.seed,
    )[name]
    chance = 1 / len(np.unique(labels))
    said = f"balanced accuracy {value:.3f} ({low:.3f} to {high:.3f})"
    if low > chance:
        return Verdict(True, f"what pruned networks are compared with: {said}", REFERENCE)
    return Verdict(False, f"{said} cannot be told from chance, {chance:.3f}")


def compare(
    comparison: PairedComparison,
    predict: Callable[[int], tuple[Probabilities, Probabilities]],
    demands: Demands,
) -> Verdict:
    """Compare a network with its reference, seed after seed while nothing can be told.

    Parameters
    ----------
    comparison : PairedComparison
        At the confidence of one look, ``1 - 2 * demands.error``.
    predict : callable
        As in `Validation`.
    demands : Demands
        Margins and seeds.
    """
    names = tuple(demands.margins)
    pairs: list[np.ndarray] = []
    word = Word.INCONCLUSIVE
    while word == Word.INCONCLUSIVE and len(pairs) < demands.max_seeds:
        pairs.append(np.stack(predict(len(pairs))))
        challenger, reference = np.stack(pairs, axis=1)  # (S, N, C) each
        found = comparison.differences(challenger, reference, names)
        words = {name: found[name].word(demands.margins[name]) for name in found}
        word = worst(list(words.values()))
    said = [
        f"{name} {difference}, margin {demands.margins[name]:g}: {words[name]}"
        for name, difference in found.items()
    ]
    seeds = f"{len(pairs)} training seed{'s' if len(pairs) > 1 else ''}"
    said.append(f"{seeds}, intervals of {100 * (1 - 2 * demands.error):.2f} %")
    return Verdict(word == Word.NON_INFERIOR, "; ".join(said), word)


def paired(validation: Validation, demands: Demands) -> PairedComparison:
    """Draw the bootstrap samples of one look."""
    return PairedComparison(
        validation.labels,
        validation.lesions,
        num_classes=validation.num_classes,
        melanoma=validation.melanoma,
        confidence=1 - 2 * demands.error,
        num_samples=demands.num_samples,
        seed=demands.seed,
    )
