"""How often `make watch` alarms where nothing changed, and how often where something did.

::

    python benchmarks/watch.py DATA [--other FOLDER] [--draws 100] [--shifted-draws 10]

DATA is a dataset as `make run` takes it, without negatives, images of one size. Lesions are split
once, 40/60 (seed 0): the LeNet-5 based network for 100×50 pixels is trained on images of the first
part for a few epochs; the other is the pool. Each draw takes lesions of the pool at random, one
image of each, as inputs, and one image of 1,000 other lesions as the reference, and compares them
by the defaults of ``watch`` in ``mlflow/registry.yaml``. Shifted inputs are the same images,
changed; files of ``--other`` are scaled to DATA's size and stored as JPEG 75 first, and get age,
sex and site of inputs of DATA, so that neither size, coding nor people tell them apart.

A table comes first: the share of draws with an alarm, with the embedding and without it. Two rows
say what goes wrong otherwise: a reference of images that the network was trained on, and all images
of each lesion in place of one. The last line is one JSON object: ``false_alarms``, size to share
with the embedding, and ``power``, shift to size to share.

Thresholds: false_alarms at most 0.05 at each size; power at least 0.9 at 200, of another source at
40.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import keras
import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from slimderm.components.classification.classifier import Classifier
from slimderm.components.dataset.catalog import ingest
from slimderm.components.dataset.images import decode_image, load_images, read_image, resize
from slimderm.components.monitoring.comparison import compare
from slimderm.components.monitoring.embedding import with_embedding
from slimderm.components.monitoring.inputs import (
    EMBEDDING,
    answer_words,
    person_words,
    picture_numbers,
)
from slimderm.components.monitoring.settings import WatchSettings
from slimderm.components.training.batches import BalancedBatches, Examples
from slimderm.components.training.build import build
from slimderm.components.training.metadata import MetadataEncoder

CLASSES = {"melanoma": ["mel"], "nevus": ["nv"], "other": ["akiec", "bcc", "bkl", "df", "vasc"]}
TRAINED = 0.4  # of the lesions
SIZE = (100, 50)
SAME, SHIFTED, WRONG = (100, 500), (50, 100, 200), 100  # inputs a draw
CHUNK = 256

Pixels = np.ndarray
SHIFTS: dict[str, Callable[[Pixels], Pixels]] = {
    "darker by 20 %": lambda image: _scaled(image, 0.8, 0.8, 0.8),
    "darker by 10 %": lambda image: _scaled(image, 0.9, 0.9, 0.9),
    "blurred, sigma 0.8 px": lambda image: cv2.GaussianBlur(image, (0, 0), 0.8),
    "red +8 %, blue -8 %": lambda image: _scaled(image, 1.08, 1, 0.92),
    "red +4 %, blue -4 %": lambda image: _scaled(image, 1.04, 1, 0.96),
}


def _scaled(image: Pixels, *factors: float) -> Pixels:
    return np.clip(image * np.array(factors), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Data:
    """A dataset, split by lesion, and the network that was trained on a part of it."""

    folder: Path
    frame: pd.DataFrame
    classifier: Classifier

    def part(self, name: str, lesions: int) -> pd.DataFrame:
        """Rows of a part: those of its first so many lesions."""
        rows = self.frame[self.frame["part"] == name]
        return rows[rows["lesion_id"].isin(rows["lesion_id"].unique()[:lesions])]

    def images(self, rows: pd.DataFrame) -> list[Pixels]:
        """Read images as they are."""
        return [read_image(self.folder / name) for name in rows["file"]]

    def statistics(self, images: list[Pixels], people: pd.DataFrame) -> pd.DataFrame:
        """Give what would be recorded of images, and the lesion of each."""
        rows = []
        for start in range(0, len(images), CHUNK):
            chunk, own = images[start : start + CHUNK], people.iloc[start : start + CHUNK]
            small = [resize(image, size=SIZE) for image in chunk]
            answers = self.classifier.answer(small, own).to_dict("records")
            for image, answer, person in zip(chunk, answers, own.to_dict("records"), strict=True):
                said = answer_words(answer["predicted"], answer[answer["predicted"]])
                row = {**picture_numbers(image), **said, **person_words(person)}
                rows.append(row | {EMBEDDING: answer[EMBEDDING]})
        return pd.DataFrame(rows).assign(lesion_id=people["lesion_id"].to_numpy())


def read(folder: Path, epochs: int, images: int) -> Data:
    """Split a dataset by lesion, and train a network on one part."""
    frame = ingest(folder, classes=CLASSES).images
    lesions = np.random.default_rng(0).permutation(np.unique(frame["lesion_id"]))
    known = frame["lesion_id"].isin(lesions[: round(TRAINED * len(lesions))])
    frame["part"] = np.where(known, "train", "pool")
    train = frame[known].iloc[:images]
    encoder = MetadataEncoder.fit(train)
    examples = Examples(
        images=load_images(folder, train["file"].tolist(), size=SIZE),
        metadata=encoder.transform(train),
        labels=np.array([list(CLASSES).index(name) for name in train["label"]]),
        lesions=train["lesion_id"].to_numpy(dtype=str),
    )
    model = build("lenet5", num_classes=len(CLASSES), input_shape=SIZE, seed=0)
    model.compile(keras.optimizers.Adam(2e-3), "categorical_crossentropy")
    batches = BalancedBatches(
        examples, num_classes=len(CLASSES), batch_size=64, seed=0, augmented=True
    )
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0)
    description = {"classes": list(CLASSES), "image_only": False, "encoder": encoder.to_dict()}
    return Data(folder, frame, with_embedding(Classifier(model, description), model))


def one_each(frame: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """Draw lesions, one image of each."""
    one = frame.groupby("lesion_id").sample(1, random_state=seed)
    return one.sample(min(len(one), size), random_state=seed)


def all_of_each(frame: pd.DataFrame, size: int, seed: int) -> pd.DataFrame:
    """Draw lesions, all images of each."""
    lesions = np.random.default_rng(seed).permutation(frame["lesion_id"].unique())
    place = frame["lesion_id"].map({name: number for number, name in enumerate(lesions)})
    return frame.loc[place.sort_values(kind="stable").index].iloc[:size]


def alarms(
    pool: pd.DataFrame,
    inputs: pd.DataFrame,
    draws: int,
    size: int,
    draw: Callable[[pd.DataFrame, int, int], pd.DataFrame] = one_each,
) -> tuple[float, float]:
    """Share of draws with an alarm: with the embedding, and without it."""
    settings, found = WatchSettings(), []
    for seed in range(draws):
        drawn = draw(inputs, size, seed)
        others = pool[~pool["lesion_id"].isin(drawn["lesion_id"])]
        table = compare(one_each(others, settings.reference_images, seed), drawn, settings)
        rest = table[table["statistic"] != EMBEDDING]
        sure = false_discovery_control(rest["p"]) <= settings.false_alarms
        found.append((table["drifted"].any(), (sure & (rest["distance"] >= rest["least"])).any()))
    with_it, without = np.mean(found, axis=0)
    return float(with_it), float(without)


def other_images(folder: Path, shape: tuple[int, ...]) -> list[Pixels]:
    """Read another source's images at this one's size and coding."""
    found = []
    for file in sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png")
    ):
        small = resize(read_image(file), size=(shape[0], shape[1]))
        found.append(decode_image(cv2.imencode(".jpg", small[..., ::-1], [1, 75])[1].tobytes()))
    return found


def rows(data: Data, given: argparse.Namespace) -> Iterator[tuple[str, int, int, float, float]]:
    """Yield what was drawn, its size, how often, and the shares of alarms."""
    pool, few = data.part("pool", given.lesions), given.shifted_draws
    same = data.statistics(data.images(pool), pool)
    for size in SAME:
        yield "the same source", size, given.draws, *alarms(same, same, given.draws, size)
    people = one_each(pool, 3 * max(SHIFTED), 0)
    images = data.images(people)
    for name, shift in SHIFTS.items():
        shifted = data.statistics([shift(image) for image in images], people)
        for size in SHIFTED:
            yield name, size, few, *alarms(same, shifted, few, size)
    if given.other:
        others = other_images(given.other, images[0].shape)
        own = people.iloc[: len(others)]
        own = own.assign(lesion_id=[f"other {number}" for number in range(len(own))])
        found = data.statistics(others, own)
        for size in (len(own) // 2, len(own)):
            yield "another source", size, few, *alarms(same, found, few, size)
    train = data.part("train", given.lesions)
    trained = data.statistics(data.images(train), train)
    shares = alarms(trained, same, given.draws, WRONG)
    yield "the same; reference of trained images", WRONG, given.draws, *shares
    shares = alarms(same, same, given.draws, WRONG, all_of_each)
    yield "the same; all images of each lesion", WRONG, given.draws, *shares


def main() -> None:
    """Print the table and the numbers."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("data", type=Path)
    parser.add_argument("--other", type=Path, help="images of another source")
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--shifted-draws", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--images", type=int, default=2000, help="to train on, at most")
    parser.add_argument("--lesions", type=int, default=1800, help="of each part, at most")
    given = parser.parse_args()
    data = read(given.data, given.epochs, given.images)
    print(data.frame.groupby("part")["lesion_id"].agg(["size", "nunique"]).to_dict("index"))
    print("\n| inputs | size | draws | alarms | without the embedding |")
    print("| --- | ---: | ---: | ---: | ---: |")
    found: dict[str, dict[Any, float]] = {}
    for name, size, draws, with_it, without in rows(data, given):
        print(f"| {name} | {size} | {draws} | {with_it:.2f} | {without:.2f} |", flush=True)
        found.setdefault(name, {})[size] = with_it
    false_alarms = found.pop("the same source")
    power = {name: each for name, each in found.items() if not name.startswith("the same")}
    print(json.dumps({"false_alarms": false_alarms, "power": power}))


if __name__ == "__main__":
    main()
