"""Near duplicates: photographs that show the same picture, found by a perceptual hash."""

import cv2
import networkx
import numpy as np
import numpy.typing as npt
import pandas as pd

SIDE = 16  # of the hash, so 256 bits
BLOCK = 256  # images compared with all others at a time


def fingerprint(image: npt.NDArray[np.uint8]) -> str:
    """Give an image's perceptual hash (pHash, by ImageHash): 64 hexadecimal digits.

    The signs of the lowest frequencies of its brightness, so that scaling, encoding and a change
    of light leave nearly all bits as they were. A turned or mirrored image has another.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    """
    import imagehash
    from PIL import Image

    small = cv2.resize(image, (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_AREA)  # as pHash does
    return str(imagehash.phash(Image.fromarray(small), hash_size=SIDE))


def find_near_duplicates(catalog: pd.DataFrame, *, max_distance: int) -> pd.DataFrame:
    """Find the pairs of images whose hashes differ in few bits.

    Parameters
    ----------
    catalog : DataFrame
        ``image_id``, ``lesion_id``, ``fingerprint``.
    max_distance : int
        The most bits, of 256, in which they may differ.

    Returns
    -------
    DataFrame
        Columns image_id, other_id, distance, lesion_id, other_lesion; one row a pair, the nearest
        first.
    """
    images = catalog.sort_values("image_id", ignore_index=True)
    bits = np.array([list(bytes.fromhex(text)) for text in images["fingerprint"]], np.uint8)
    words = bits.reshape(len(images), SIDE * SIDE // 8).view(np.uint64)  # (N, 4)
    pairs = []
    for start in range(0, len(words), BLOCK):
        block = words[start : start + BLOCK, np.newaxis]  # (B, 1, 4)
        distance = np.zeros((len(block), len(words) - start), np.uint16)
        for word in range(words.shape[1]):
            distance += np.bitwise_count(block[..., word] ^ words[start:, word])
        one, other = np.nonzero(distance <= max_distance)
        ahead = one < other
        one, other = one[ahead], other[ahead]
        pairs.append(np.stack([one + start, other + start, distance[one, other]], axis=1))
    found = np.concatenate(pairs) if pairs else np.empty((0, 3), int)
    first, second = (images.iloc[found[:, side]].reset_index(drop=True) for side in (0, 1))
    table = pd.DataFrame(
        {
            "image_id": first["image_id"],
            "other_id": second["image_id"],
            "distance": found[:, 2],
            "lesion_id": first["lesion_id"],
            "other_lesion": second["lesion_id"],
        }
    )
    return table.sort_values(["distance", "image_id", "other_id"], ignore_index=True)


def join_near_duplicates(catalog: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """Add the column by which near duplicates come into one group.

    Parameters
    ----------
    catalog : DataFrame
        ``image_id``.
    pairs : DataFrame
        As `find_near_duplicates` gives it.

    Returns
    -------
    DataFrame
        `catalog` with ``near``: the first image_id of those that are joined, directly or by others.
    """
    graph = networkx.Graph(zip(pairs["image_id"], pairs["other_id"], strict=True))
    name_of: dict[str, str] = {}
    for joined in networkx.connected_components(graph):
        name_of |= dict.fromkeys(joined, min(joined))
    return catalog.assign(near=[name_of.get(name, name) for name in catalog["image_id"]])
