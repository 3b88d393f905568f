"""The loops over pixels that take the time, compiled by numba; they count in integers.

Compiled on first use and kept in ``__pycache__``, so that only the first process of an installation
waits for the compiler. The process that compiles them may round SSIM otherwise than those that find
them compiled: by 5e-9 of its value, as single precision goes. The modules around say what each is
for; nothing here checks its input.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Waves = npt.NDArray[np.complex128]

LEVELS = 256
CHANNELS = 3
NUM_FEATURES = 13

# The order of additions may change, and no division is checked: so they can run side by side.
compiled = njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


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


@compiled
def joint_histogram(x: Bytes, y: Bytes) -> Counts:
    """How often each pair of grey levels stands at one place: int32 (256, 256)."""
    joint = np.zeros((LEVELS, LEVELS), np.int32)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            joint[x[i, j], y[i, j]] += 1
    return joint


@compiled
def entropy(counts: Counts) -> float:
    """Entropy in bits of a histogram of any shape; 0 where it is empty."""
    total, logs = 0.0, 0.0
    for count in counts.flat:
        if count:
            total += count
            logs += count * np.log2(count)
    return max(0.0, np.log2(total) - logs / total) if total else 0.0


@compiled
def cooccurrences(gray: Bytes) -> Counts:
    """Count pairs of neighbours to the right, down right, down, down left: int32 (4, 256, 256)."""
    height, width = gray.shape
    counts = np.zeros((4, LEVELS, LEVELS), np.int32)
    for i in range(height):
        row = gray[i]
        for j in range(width - 1):
            counts[0, row[j], row[j + 1]] += 1
        if i + 1 < height:
            below = gray[i + 1]
            for j in range(width):
                counts[2, row[j], below[j]] += 1
            for j in range(width - 1):
                counts[1, row[j], below[j + 1]] += 1
                counts[3, row[j + 1], below[j]] += 1
    return counts


@compiled
def haralick(counts: Counts, num_levels: int) -> Floats:
    """Haralick's thirteen features from one direction of `cooccurrences`, float64 (13,).

    `num_levels` is the highest grey level plus one. Pairs are counted both ways, as is usual, so
    both margins are the same and the features 12 and 13 need no second pass.
    """
    features = np.zeros(NUM_FEATURES)
    total = 2.0 * counts.sum()
    if total == 0:
        return features
    margin = np.zeros(num_levels)
    plus, minus = np.zeros(2 * num_levels), np.zeros(num_levels)
    energy, product, homogeneity, joint_entropy = 0.0, 0.0, 0.0, 0.0
    for a in range(num_levels):
        for b in range(a, num_levels):
            count = counts[a, b] + counts[b, a]  # at a == b twice the count, as it should be
            if count:
                p = count / total
                cells = 1.0 if a == b else 2.0
                energy += cells * p * p
                product += cells * p * a * b
                homogeneity += cells * p / (1 + (a - b) * (a - b))
                joint_entropy -= cells * p * np.log2(p)
                plus[a + b] += cells * p
                minus[b - a] += cells * p
                margin[a] += p
                if a != b:
                    margin[b] += p
    mean, square = 0.0, 0.0
    for level in range(num_levels):
        mean += margin[level] * level
        square += margin[level] * level * level
    variance = max(0.0, square - mean * mean)
    mean_plus, square_plus = 0.0, 0.0
    for level in range(2 * num_levels):
        mean_plus += plus[level] * level
        square_plus += plus[level] * level * level
    contrast, mean_minus, square_minus = 0.0, 0.0, 0.0
    for level in range(num_levels):
        contrast += minus[level] * level * level
        mean_minus += minus[level] / num_levels
        square_minus += minus[level] * minus[level] / num_levels
    own = _entropy_of_shares(margin)
    features[0] = energy
    features[1] = contrast
    features[2] = (product - mean * mean) / variance if variance > 0 else 1.0
    features[3] = variance
    features[4] = homogeneity
    features[5] = mean_plus
    features[6] = square_plus - mean_plus * mean_plus
    features[7] = _entropy_of_shares(plus)
    features[8] = joint_entropy
    features[9] = square_minus - mean_minus * mean_minus
    features[10] = _entropy_of_shares(minus)
    features[11] = (joint_entropy - 2 * own) / own if own > 0 else 0.0
    features[12] = np.sqrt(max(0.0, 1 - np.exp(-2 * (2 * own - joint_entropy))))
    return features


@compiled
def _entropy_of_shares(shares: Floats) -> float:
    bits = 0.0
    for share in shares:
        if share > 0:
            bits -= share * np.log2(share)
    return bits


@compiled
def amplitude_sums(amplitudes: Floats, even: bool) -> tuple[float, float]:
    """Sum amplitudes and their squares over the whole spectrum less frequency zero.

    As `wave_sums` does of the other image's.
    """
    height, width = amplitudes.shape
    total, squares = 0.0, 0.0
    for i in range(height):
        for j in range(width):
            twice = 1.0 if j == 0 or (even and j == width - 1) else 2.0
            if i or j:
                total += twice * amplitudes[i, j]
                squares += twice * amplitudes[i, j] * amplitudes[i, j]
    return total, squares


@compiled
def wave_sums(
    original: Waves, amplitudes: Floats, change: Waves, low: npt.NDArray[np.bool_], even: bool
) -> tuple[float, float, float, float, float]:
    """Sum over a half spectrum (H, W // 2 + 1) what stands for the whole.

    `change` is the transform of what was added to the original, `amplitudes` the original's, `even`
    whether W is. Returned: the energy of the change in low frequencies and in all, and without
    frequency zero the other's amplitudes summed, squared and summed, times the original's and
    summed.
    """
    height, width = original.shape
    energy_low, energy, total, squares, products = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(height):
        for j in range(width):
            twice = 1.0 if j == 0 or (even and j == width - 1) else 2.0
            added = change[i, j]
            power = twice * (added.real * added.real + added.imag * added.imag)
            energy += power
            energy_low += power if low[i, j] else 0.0
            real = original[i, j].real + added.real
            imaginary = original[i, j].imag + added.imag
            power = real * real + imaginary * imaginary
            amplitude = np.sqrt(power)
            if i or j:
                total += twice * amplitude
                squares += twice * power
                products += twice * amplitude * amplitudes[i, j]
    return energy_low, energy, total, squares, products
