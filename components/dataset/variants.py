"""The variants of the dataset that networks are trained on, by name: the one list of them.

Where the files of a variant lie stands in `slimderm.flows.config.layout.VARIANTS`.
"""

ORIGINAL, REENCODED, COMPRESSED = "original", "reencoded", "compressed"

# Each with what its images are.
VARIANTS: dict[str, str] = {
    ORIGINAL: "as they came",
    REENCODED: "encoded without SVD",
    COMPRESSED: "as the pipeline stores them",
}
