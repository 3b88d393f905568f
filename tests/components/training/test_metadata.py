import json

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from slimderm.components.common.errors import SchemaError
from slimderm.components.training.metadata import MetadataEncoder

TRAIN = pd.DataFrame(
    {
        "age": [20.0, 40.0, np.nan, 75.0],
        "sex": ["male", "female", "unknown", "male"],
        "localization": ["back", "face", "back", "scalp"],
    }
)


def test_age_is_filled_by_the_median_and_standardised_on_training_alone():
    encoder = MetadataEncoder.fit(TRAIN)
    filled = TRAIN["age"].fillna(TRAIN["age"].median()).to_numpy()[:, None]
    scaler = StandardScaler().fit(filled)
    assert encoder.transform(TRAIN)[:, 0] == pytest.approx(scaler.transform(filled)[:, 0])
    other = TRAIN.assign(age=[90.0, np.nan, 1.0, 2.0])
    expected = scaler.transform(np.array([[90.0], [40.0], [1.0], [2.0]]))[:, 0]
    assert encoder.transform(other)[:, 0] == pytest.approx(expected)


def test_labels_are_codes_and_what_training_never_saw_is_unknown():
    encoder = MetadataEncoder.fit(TRAIN)
    found = encoder.transform(TRAIN)
    assert found[:, 1].tolist() == [1.0, 0.5, 0.0, 1.0]  # unknown, female, male
    other = TRAIN.assign(sex="other", localization=["ear", "unknown", "back", "scalp"])
    codes = encoder.transform(other)
    assert codes[:, 1].tolist() == [0.0] * 4
    assert codes[:2, 2].tolist() == [0.0, 0.0]
    assert len(set(codes[:, 2])) == 3


def test_it_survives_json():
    encoder = MetadataEncoder.fit(TRAIN)
    again = MetadataEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert np.array_equal(again.transform(TRAIN), encoder.transform(TRAIN))
    with pytest.raises(SchemaError, match="take what to_dict gave"):
        MetadataEncoder.from_dict({"age_median": 1})


def test_a_training_part_without_any_age_or_spread_still_encodes():
    blank = TRAIN.assign(age=np.nan, sex="unknown", localization="unknown")
    assert np.isfinite(MetadataEncoder.fit(blank).transform(blank)).all()


def test_a_missing_column_is_named():
    with pytest.raises(SchemaError, match="sex"):
        MetadataEncoder.fit(TRAIN.drop(columns="sex"))
