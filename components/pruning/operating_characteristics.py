"""How often each acceptance rule accepts a network of known quality, by simulation.

Images differ in difficulty: the probability of being right on one is drawn from a beta
distribution, of which the mean is the reference's accuracy and the spread gives the discordance of
two trainings. A worse network is less often right on every image, in proportion.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from slimderm.components.evaluation.metrics import Floats, decision_metrics
from slimderm.components.evaluation.noninferiority import Difference, Word
from slimderm.components.evaluation.power import DISCORDANCE
from slimderm.components.pruning.acceptance import ACCEPTANCE, TRAINING_KEYS
from slimderm.components.pruning.verdict import Case, Demands

CLASSES = 3
MELANOMA = 0
TOLERANCES = (0.02, 0.05)  # of the difference of two accuracies, as rules without intervals have


@dataclass(frozen=True)
class World:
    """What is true of the two networks.

    Attributes
    ----------
    accuracy : float
        Of the reference, in each class.
    discordance : float
        Share of images that one of two equal networks alone has right.
    worse : float
        What the pruned network's accuracy is below the reference's.
    """

    accuracy: float = 0.80
    discordance: float = DISCORDANCE
    worse: float = 0.0

    @property
    def cells(self) -> tuple[float, float]:
        """Probabilities that the pruned network alone, and the reference alone, is right."""
        share, square = 1 - self.worse / self.accuracy, self.accuracy - self.discordance / 2
        return share * (self.accuracy - square), self.accuracy - share * square

    def difficulties(self, random: np.random.Generator, number: int) -> Floats:
        """Draw the probability that the reference is right, image by image: (number,)."""
        spread = self.discordance / 2 / (self.accuracy * (1 - self.accuracy))
        total = spread / (1 - spread)
        first = self.accuracy * total
        drawn: Floats = random.beta(first, total - first, number)
        return drawn


class Judged:
    """One part whose images two networks classify, drawn anew for each repeat."""

    def __init__(self, world: World, num_images: int, seed: int) -> None:
        self.world, self.random = world, np.random.default_rng(seed)
        self.labels = np.arange(num_images) % CLASSES
        self.renew()

    def renew(self) -> None:
        """Draw other images."""
        self.right = self.world.difficulties(self.random, len(self.labels))

    def predict(self, number: int) -> tuple[Floats, Floats]:
        """Train both by another seed: one-hot (N, C) each; the number is not read."""
        share = 1 - self.world.worse / self.world.accuracy
        return self._answers(share * self.right), self._answers(self.right)

    def _answers(self, probability: Floats) -> Floats:
        wrong = self.random.random(len(self.labels)) >= probability
        other = self.random.integers(1, CLASSES, len(self.labels))
        answers: Floats = np.eye(CLASSES)[(self.labels + wrong * other) % CLASSES]
        return answers

    def metrics(self, answers: Floats, part: str) -> dict[str, float]:
        """Measure them as a training's record does."""
        weights = np.ones((1, len(self.labels)))
        found = decision_metrics(weights, self.labels, answers, MELANOMA)
        return {f"{part}_{name}": float(values[0]) for name, values in found.items()}


def one_metric(world: World, num_images: int, *, repeats: int, seed: int = 0) -> dict[str, float]:
    """Accept by the accuracy alone: within a tolerance, and by an interval above -0.05.

    Returns
    -------
    dict
        Rule to the share of the repeats in which it accepts.
    """
    own, other = world.cells
    counts = np.random.default_rng(seed).multinomial(
        num_images, [own, other, 1 - own - other], repeats
    )
    difference = (counts[:, 0] - counts[:, 1]) / num_images
    found = {
        f"within {tolerance:g}": float((difference >= -tolerance - 1e-9).mean())
        for tolerance in TOLERANCES
    }
    shares = counts[:, :2] / num_images
    error = np.sqrt((shares.sum(axis=1) - difference**2) / num_images)
    return found | {"interval above -0.05": float((difference - 1.96 * error > -0.05).mean())}


def rules(world: World, num_images: int, *, repeats: int, seed: int = 0) -> dict[str, float]:
    """Let every rule with thresholds judge, by its own code and default settings.

    The thresholds on training count as met, for they say nothing about the lesions. The parts of
    validation and test have as many images each.

    Returns
    -------
    dict
        Rule to the share of the repeats in which it accepts.
    """
    part, test = (Judged(world, num_images, 2 * seed + index) for index in (0, 1))
    entries = {name: entry for name, entry in ACCEPTANCE.items() if name != "noninferior"}
    accepted = dict.fromkeys(entries, 0)
    for _ in range(repeats):
        part.renew()
        test.renew()
        case = _case(part, test)
        for name, entry in entries.items():
            accepted[name] += entry.judge(case).accepted
    return {name: number / repeats for name, number in accepted.items()}


def noninferior(
    world: World, num_images: int, demands: Demands, *, repeats: int, seed: int = 0
) -> float:
    """Return how often the rule noninferior accepts; each image is a lesion.

    Normal intervals of the same variance stand in for the bootstrap's, which would take hours.
    """
    random = np.random.default_rng(seed)
    labels = np.arange(num_images) % CLASSES
    share, beyond = 1 - world.worse / world.accuracy, NormalDist().inv_cdf(1 - demands.error)
    accepted = 0
    for _ in range(repeats):
        difficulty = world.difficulties(random, num_images)
        seeds: list[Floats] = []
        words: set[Word] = {Word.INCONCLUSIVE}
        while Word.INFERIOR not in words and Word.INCONCLUSIVE in words:
            if len(seeds) == demands.max_seeds:
                break
            own, other = random.random((2, num_images)) < (share * difficulty, difficulty)
            seeds.append(np.subtract(own, other, dtype=np.float64))
            stacked = np.stack(seeds)  # (S, N)
            words = {
                _difference(stacked[:, among], labels[among], beyond).word(demands.margins[name])
                for name, among in (
                    ("balanced_accuracy", labels >= 0),
                    ("melanoma_sensitivity", labels == MELANOMA),
                )
            }
        accepted += words == {Word.NON_INFERIOR}
    return accepted / repeats


def _difference(seeds: Floats, labels: npt.NDArray[np.int64], beyond: float) -> Difference:
    """Return the interval of a mean of recalls, from each seed's differences image by image."""
    number, classes = len(seeds), np.unique(labels)
    parts = [np.pad(seeds[:, labels == label], ((0, 0), (0, 2))) for label in classes]
    for part in parts:
        part[:, -2:] = (1, -1)  # the imagined lesions
    pooled = np.array([part.mean() for part in parts]).mean()

    def error(values: Sequence[Floats]) -> float:  # of a mean of classes, squared
        return float(sum(each.var() / len(each) for each in values)) / len(classes) ** 2

    variance = error([part.mean(axis=0) for part in parts])
    if number > 1:
        effects = np.mean([part.mean(axis=1) for part in parts], axis=0)
        rest = [part - part.mean(axis=0) for part in parts]
        luck = np.mean([error([each[index] for each in rest]) for index in range(number)])
        variance += max(0.0, effects.var(ddof=1) - luck * number / (number - 1)) / number
    spread = beyond * float(np.sqrt(variance))
    return Difference(0.0, 0.0, pooled - spread, pooled + spread)


def _case(part: Judged, test: Judged) -> Case:
    """Return one network's metrics beside those of the reference, by one seed."""
    metrics: list[dict[str, float]] = [dict.fromkeys(TRAINING_KEYS, 1.0) for _ in range(2)]
    for judged, name in ((part, "validation"), (test, "test")):
        for known, answers in zip(metrics, judged.predict(0), strict=True):
            known.update(judged.metrics(answers, name))
    own, reference = metrics
    return Case(own, reference)


def table(
    sizes: Sequence[int], worse: Sequence[float], *, repeats: int
) -> Iterator[dict[str, float]]:
    """Yield one row a size and quality: ``images``, ``worse``, each rule's share of acceptance.

    ``noninferior`` judges by up to three seeds at the error of Algorithm 2's four branches,
    ``noninferior, once`` a single network by one seed.
    """
    demanded = {
        "noninferior, once": Demands(max_seeds=1),
        "noninferior": Demands(num_branches=4),
    }
    for number in sizes:
        for each in worse:
            world = World(worse=each)
            found = one_metric(world, number, repeats=100 * repeats)
            found |= rules(world, number, repeats=repeats)
            for name, demands in demanded.items():
                found[name] = noninferior(world, number, demands, repeats=repeats)
            yield {"images": number, "worse": each} | found
