"""The page's resize gives OpenCV's pixels."""

import json

import numpy as np
import pytest

from slimderm.components.dataset.images import resize

RESIZE = """
const {Resizer} = await import(`${SRC}/resize.js`);
const {readFileSync, writeSync} = await import('node:fs');
const given = readFileSync(0);
const end = given.indexOf(10);
let at = end + 1;
for (const [h, w, H, W, rows] of JSON.parse(given.subarray(0, end))) {
  const resizer = new Resizer(w, h, W, H);
  for (let y = 0; y < h; y += rows) {
    const size = Math.min(rows, h - y) * w * 4;
    resizer.push(given.subarray(at, at += size));
  }
  const found = resizer.finish();
  for (let i = 0; i < found.length;) i += writeSync(1, found, i);
}
"""
# Height and width, those to reach, and the rows that come at a time.
CASES = {
    "whole steps": (450, 600, 45, 60, 450),
    "two by two": (96, 128, 48, 64, 7),
    "the paper's size": (450, 600, 200, 100, 64),
    "primes": (449, 601, 97, 53, 13),
    "a step in one axis alone": (100, 90, 50, 37, 100),
    "one axis as it is": (60, 80, 60, 31, 9),
    "as it is": (31, 17, 31, 17, 4),
    "one pixel less": (101, 67, 100, 66, 101),
    "to one pixel": (37, 53, 1, 1, 5),
    "from one pixel": (1, 1, 9, 7, 1),
    "a row": (1, 997, 1, 13, 1),
    "twice as large": (24, 32, 48, 64, 5),
    "a little larger": (31, 47, 37, 53, 31),
    "seven times larger": (7, 11, 49, 78, 2),
    "larger one way, smaller the other": (20, 300, 45, 60, 3),
    "smaller one way, larger the other": (300, 20, 45, 60, 50),
    "huge": (3001, 4003, 100, 200, 256),
}


@pytest.fixture(scope="module")
def images():
    draw = np.random.default_rng(0)
    smooth = np.clip(np.cumsum(draw.normal(0, 9, (3001, 4003, 3)), axis=1) + 128, 0, 255)
    found = {}
    for name, (height, width, *_) in CASES.items():
        noise = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        found[name] = smooth.astype(np.uint8) if name == "huge" else noise
    return found


@pytest.fixture(scope="module")
def resized(node, images):
    """All cases in one process: the page's pixels by name."""
    opaque = (np.dstack([each, np.full(each.shape[:2], 255, np.uint8)]) for each in images.values())
    told = json.dumps(list(CASES.values())).encode() + b"\n"
    said = node(RESIZE, told + b"".join(each.tobytes() for each in opaque))
    found, at = {}, 0
    for name, (_, _, height, width, _) in CASES.items():
        size = height * width * 3
        found[name] = np.frombuffer(said[at : at + size], np.uint8).reshape(height, width, 3)
        at += size
    assert at == len(said)
    return found


@pytest.mark.parametrize("name", CASES)
def test_pixels_are_opencvs(name, images, resized):
    _, _, height, width, _ = CASES[name]
    wanted = resize(images[name], size=(height, width)).astype(int)
    apart = np.abs(resized[name] - wanted)
    assert apart.max() <= 1
    # OpenCV rounds halves up in steps of two, and mixes by whole numbers where it enlarges.
    assert (apart > 0).mean() < 0.13


def test_an_axis_costs_a_step_a_pixel_and_its_weights_sum_to_one(node):
    script = """
    const {averaging, mixing} = await import(`${SRC}/resize.js`);
    const found = [];
    for (const [source, target] of [[4000, 97], [601, 600], [601, 601], [97, 4000], [1, 50]]) {
      const {begin, weights} = (source < target ? mixing : averaging)(source, target);
      const sums = Array.from({length: target}, (_, t) =>
        weights.subarray(begin[t], begin[t + 1]).reduce((sum, weight) => sum + weight, 0));
      found.push([source, target, weights.length, Math.min(...sums), Math.max(...sums)]);
    }
    console.log(JSON.stringify(found));
    """
    for source, target, steps, least, most in json.loads(node(script)):
        assert steps <= source + 2 * target
        assert (least, most) == pytest.approx((1, 1), abs=1e-5)
