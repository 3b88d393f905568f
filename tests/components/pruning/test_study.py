import pytest

from slimderm.components.common.errors import ParameterError
from slimderm.components.pruning.study_settings import Arm, StudySettings, parse_arm


@pytest.mark.parametrize(
    ("text", "arm", "name"),
    [
        ("paper", Arm(), "paper"),
        ("l1 inherit", Arm("l1", "inherit"), "l1 inherit local"),
        ("global taylor inherit", Arm("taylor", "inherit", "global"), "taylor inherit global"),
        ("uninformed inherit", Arm("uninformed", "inherit"), "uninformed inherit local"),
        ("control", Arm(init="inherit", control=True), "control"),
        ("masks global", Arm(init="inherit", scope="global", masks=True), "masks global"),
    ],
)
def test_arms_are_read_from_their_words(text, arm, name):
    assert parse_arm(text) == arm
    assert parse_arm(text).name == name


def test_schedules_train_equally_long():
    settings = StudySettings(epochs=10, fine_tune_epochs=6, num_steps=3)
    inherit = parse_arm("l1 inherit")
    epochs = [settings.epochs_per_step(s, inherit) for s in ("one_shot", "iterative", "layerwise")]
    assert epochs == [6, 2, 2]
    assert settings.epochs_per_step("iterative", parse_arm("paper")) == 10


@pytest.mark.parametrize(
    "bad",
    [
        {"arms": ("l1 inherit", "inherit l1")},
        {"arms": ("l1 l2",)},
        {"arms": ("masks scratch",)},
        {"arms": ("scratch masks",)},
        {"arms": ("l7 inherit",)},
        {"arms": ("l1",)},
        {"arms": ("taylor scratch local",)},
        {"arms": ("l1 masks global",)},
        {"arms": ("control global",)},
        {"arms": ()},
        {"ratios": (0.5, 0.5)},
        {"ratios": (0.9, 0.5)},
        {"ratios": (1.0,)},
        {"network": "vgg19"},
        {"schedules": ("twice",)},
        {"variants": ("blurred",)},
        {"seeds": ()},
    ],
)
def test_what_makes_no_study_is_refused(bad):
    with pytest.raises(ParameterError):
        StudySettings(**bad)
