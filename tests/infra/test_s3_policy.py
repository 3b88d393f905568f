"""infra/s3-policy.json: the least that the credentials of a store need."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def allowed(policy, action, resource, prefix=None):
    """What IAM answers, as far as the policy uses its language: moto knows no such conditions."""

    def met(operator, keys):
        (given,) = keys.values()
        assert list(keys) == ["s3:prefix"]
        assert operator == "StringLike"
        return prefix is not None and any(fnmatchcase(prefix, pattern) for pattern in given)

    def listed(value):
        return [value] if isinstance(value, str) else value

    return any(
        action in entry["Action"]
        and any(fnmatchcase(resource, each) for each in listed(entry["Resource"]))
        and all(met(*condition) for condition in entry.get("Condition", {}).items())
        for entry in policy["Statement"]
        if entry["Effect"] == "Allow"
    )


BUCKET = "arn:aws:s3:::lesions"
OBJECTS = ("GetObject", "PutObject", "DeleteObject", "AbortMultipartUpload")


@pytest.mark.parametrize(
    ("action", "resource", "prefix", "answer"),
    [
        ("ListBucket", BUCKET, None, False),  # HeadBucket
        ("ListBucket", BUCKET, "versions/files/md5/00", True),  # DVC
        ("ListBucket", BUCKET, "versions/", True),
        ("ListBucket", BUCKET, "artifacts/1/models/", True),  # MLflow
        ("ListBucket", BUCKET, "", False),
        ("ListBucket", BUCKET, "versions", False),  # it begins versions-of-others, too
        ("ListBucket", BUCKET, "others/", False),
        ("ListBucket", "arn:aws:s3:::others", None, False),
        ("ListBucket", "arn:aws:s3:::others", "versions/", False),
        ("DeleteBucket", BUCKET, None, False),
        ("PutBucketPolicy", BUCKET, None, False),
        ("PutObjectAcl", f"{BUCKET}/versions/a", None, False),
        *((name, f"{BUCKET}/versions/files/md5/00/a", None, True) for name in OBJECTS),
        *((name, f"{BUCKET}/artifacts/1/model.keras", None, True) for name in OBJECTS),
        *((name, f"{BUCKET}/others/a", None, False) for name in OBJECTS),
        *((name, f"{BUCKET}/versions-of-others/a", None, False) for name in OBJECTS),
    ],
)
def test_the_least_policy_allows_what_is_asked_below_the_two_prefixes_and_no_more(
    action, resource, prefix, answer
):
    policy = json.loads((ROOT / "infra/s3-policy.json").read_text())
    assert allowed(policy, f"s3:{action}", resource, prefix) is answer


def test_the_least_policy_names_the_places_of_the_example(example):
    text = (ROOT / "infra/s3-policy.json").read_text()
    places = {example[name].removeprefix("s3://") for name in ("DATA_REMOTE", "ARTIFACTS")}
    assert set(re.findall(r"arn:aws:s3:::([^\s\"]+)/\*", text)) == places
