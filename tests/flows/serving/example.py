"""What the served network of these tests is described as, and who is asked about."""

import cv2
import numpy as np
import pandas as pd

DESCRIPTION = {
    "classes": ["melanoma", "nevus"], "size": [8, 10], "variant": "original", "k": None,
    "codec": "jpeg", "quality": 90, "network": "lenet5", "image_only": False,
    "encoder": {
        "age_median": 50.0, "age_mean": 40.0, "age_deviation": 10.0,
        "sexes": ["unknown", "female", "male"], "localizations": ["unknown", "back", "face"],
    },
}  # fmt: skip
TEMPERATURE = 1.5
IMAGE = cv2.imencode(".png", np.full((24, 30, 3), (90, 120, 200), np.uint8))[1].tobytes()
PEOPLE = pd.DataFrame(
    {
        "image": IMAGE,
        "age": [45, None, 80],
        "sex": ["female", None, "male"],
        "localization": ["back", "face", "unknown"],
    }
)
