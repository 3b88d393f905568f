"""SSIM's sums over windows of 7x7 pixels."""

import numpy as np

from slimderm.components.quality.kernels.compiled import Bytes, Counts, compiled

CHANNELS = 3


@compiled
def _enter(x: Bytes, y: Bytes, sum_y: Counts, sum_yy: Counts, sum_xy: Counts) -> None:
    for j in range(x.size):
        a, b = np.int32(x[j]), np.int32(y[j])
        sum_y[j] += b
        sum_yy[j] += b * b
        sum_xy[j] += a * b


@compiled
def _leave(x: Bytes, y: Bytes, sum_y: Counts, sum_yy: Counts, sum_xy: Counts) -> None:
    for j in range(x.size):
        a, b = np.int32(x[j]), np.int32(y[j])
        sum_y[j] -= b
        sum_yy[j] -= b * b
        sum_xy[j] -= a * b


@compiled
def _across(columns: Counts, pairs: Counts, sums: Counts) -> None:
    """Sum seven columns of one channel, for every window of one row."""
    for j in range(sums.size + 5 * CHANNELS):
        pairs[j] = columns[j] + columns[j + CHANNELS]
    for j in range(sums.size):
        four = pairs[j] + pairs[j + 2 * CHANNELS]
        sums[j] = four + pairs[j + 4 * CHANNELS] + columns[j + 6 * CHANNELS]


@compiled
def window_moments(x: Bytes) -> tuple[Counts, Counts]:
    """``sum(x)`` and ``49 sum(x²) - sum(x)²`` of every 7x7 window, int32 (H - 6, 3W - 18).

    `x` is uint8 (H, 3W), the channels interleaved. Both are exact: 49 · 49 · 255² < 2³¹.
    """
    height, width = x.shape
    size = width - 6 * CHANNELS
    sums = np.empty((height - 6, size), np.int32)
    spreads = np.empty((height - 6, size), np.int32)
    column, square = np.zeros(width, np.int32), np.zeros(width, np.int32)
    product, pairs = np.zeros(width, np.int32), np.empty(width, np.int32)
    squares = np.empty(size, np.int32)
    for i in range(height):
        _enter(x[i], x[i], column, square, product)
        if i > 6:
            _leave(x[i - 7], x[i - 7], column, square, product)
        if i > 5:
            _across(column, pairs, sums[i - 6])
            _across(square, pairs, squares)
            for j in range(size):
                own = np.int32(sums[i - 6, j] * sums[i - 6, j])
                spreads[i - 6, j] = np.int32(49 * squares[j]) - own
    return sums, spreads


@compiled
def _similarity_of_row(
    sum_x: Counts,
    spread_x: Counts,
    sum_y: Counts,
    sum_yy: Counts,
    sum_xy: Counts,
    c1: np.float32,
    c2: np.float32,
) -> np.float32:
    total = np.float32(0)
    for j in range(sum_x.size):
        both = np.int32(sum_x[j] * sum_y[j])
        shared = np.int32(49 * sum_xy[j]) - both
        spread_y = np.int32(49 * sum_yy[j]) - np.int32(sum_y[j] * sum_y[j])
        mx, my = np.float32(sum_x[j]), np.float32(sum_y[j])
        above = (np.float32(2) * np.float32(both) + c1) * (np.float32(2) * np.float32(shared) + c2)
        below = (mx * mx + my * my + c1) * (np.float32(spread_x[j]) + np.float32(spread_y) + c2)
        total += above / below
    return total


@compiled
def similarity(x: Bytes, y: Bytes, sum_x: Counts, spread_x: Counts, c1: float, c2: float) -> float:
    """Mean SSIM over all 7x7 windows, from `window_moments` of `x`; `y` is uint8 (H, 3W).

    Mean and variance of a window are here 49 and 49 · 48 times what they are, so `c1` and `c2` are
    to be given 49² and 49 · 48 times; the factors cancel.
    """
    height, width = x.shape
    size = width - 6 * CHANNELS
    column, square = np.zeros(width, np.int32), np.zeros(width, np.int32)
    product, pairs = np.zeros(width, np.int32), np.empty(width, np.int32)
    sum_y, sum_yy = np.empty(size, np.int32), np.empty(size, np.int32)
    sum_xy = np.empty(size, np.int32)
    small1, small2, total = np.float32(c1), np.float32(c2), 0.0
    for i in range(height):
        _enter(x[i], y[i], column, square, product)
        if i > 6:
            _leave(x[i - 7], y[i - 7], column, square, product)
        if i > 5:
            _across(column, pairs, sum_y)
            _across(square, pairs, sum_yy)
            _across(product, pairs, sum_xy)
            total += _similarity_of_row(
                sum_x[i - 6], spread_x[i - 6], sum_y, sum_yy, sum_xy, small1, small2
            )
    return float(total / (size * (height - 6)))
