"""What people do with the page, in Chromium: pictures, keys, two languages, three sizes."""

import csv
import re

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from slimderm.components.classification.picture import look_of, warnings_of
from slimderm.components.dataset.images import read_image

SIZES = {"phone": (360, 740), "laptop": (1280, 800), "4K": (3840, 2160)}


@pytest.fixture(autouse=True)
def large(page):
    page.driver.set_window_size(*SIZES["laptop"])


def choose_language(page, code):
    Select(page.find("language")).select_by_value(code)


def test_a_picture_is_answered_with_a_bar_for_each_class(page, drawn):
    said, names, shares = page.choose(drawn / "good.png")
    assert sorted(names) == ["Another lesion", "Melanoma", "Nevus (mole)", "No skin lesion"]
    values = [float(share.rstrip("%")) for share in shares]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(100, abs=2.5)
    assert said == f"Most probable: {names[0]}, {shares[0]}."
    assert "entropy" in page.text("entropy")
    assert not page.find("uncalibrated").is_displayed()
    assert re.fullmatch(
        r"Model: slimderm version 7, exported on \w+ \d+, \d{4}, [\d,]+ bytes, calibrated\.",
        page.text("about"),
    )
    assert page.find("shown").get_attribute("aria-label") == "The picture good.png"


def test_age_sex_and_site_change_the_answer_and_a_wrong_age_is_said(page, drawn):
    page.choose(drawn / "good.png")
    script = "return [...document.querySelectorAll('.track span')].map(s => s.style.width)"
    before = page.driver.execute_script(script)
    Select(page.find("localization")).select_by_visible_text("upper extremity")
    Select(page.find("sex")).select_by_visible_text("male")
    page.find("age").send_keys("85", Keys.TAB)
    page.until(lambda: page.driver.execute_script(script) not in ([], before))
    assert page.text("age-fault") == ""
    page.find("age").clear()
    page.find("age").send_keys("121", Keys.TAB)
    page.until(lambda: page.text("age-fault") == "Expected: years from 0 to 120")
    assert page.find("age").get_attribute("aria-invalid") == "true"
    page.open()


def test_what_is_unlike_the_training_is_warned_of_as_in_python(page, drawn, description):
    wanted = {
        "good": set(),
        "tooDark": {"The picture is very dark."},
        "tooBright": {"The picture is very bright."},
        "blurred": {"The picture is blurred."},
        "littleSkin": {"Little of it has a colour of skin or a lesion: is it one?"},
        "tooSmall": {"It has fewer pixels than the network takes."},
        "oddShape": {"It is far longer than wide; the network sees it squeezed."},
    }
    for name, said in wanted.items():
        page.choose(drawn / f"{name}.png")
        found = set(page.text("warnings").splitlines())
        assert said <= found, name
        assert bool(found) == ("Do not rely on the answer" in page.text("warnings"))
        assert found or name == "good"
        look = look_of(read_image(drawn / f"{name}.png"))
        in_python = warnings_of(look, tuple(description["size"]))
        assert len(found) == len(in_python) + bool(in_python)  # and what follows from them


def test_what_is_no_picture_is_an_error_and_the_next_picture_is_answered(page, drawn, tmp_path):
    (tmp_path / "notes.jpg").write_text("no picture")
    said, names, _ = page.choose(tmp_path / "notes.jpg")
    assert said.startswith("This is no picture that the browser reads: expected JPEG")
    assert names == []
    assert not page.find("preview").is_displayed()
    assert page.choose(drawn / "good.png")[1]


def test_a_picture_is_taken_by_drop_and_by_paste(page):
    script = """
    const canvas = new OffscreenCanvas(80, 60);
    const context = canvas.getContext('2d');
    context.fillStyle = given[1];
    context.fillRect(0, 0, 80, 60);
    const transfer = new DataTransfer();
    transfer.items.add(new File([await canvas.convertToBlob()], `${given[0]}.png`));
    const how = {bubbles: true, cancelable: true};
    const event = given[0] === 'drop'
      ? new DragEvent('drop', {...how, dataTransfer: transfer})
      : new ClipboardEvent('paste', {...how, clipboardData: transfer});
    document.getElementById('drop').dispatchEvent(event);
    """
    for kind, colour in (("drop", "#c08060"), ("paste", "#805030")):
        page.ask(script, kind, colour)
        shown = page.find("shown")
        page.until(lambda s=shown, k=kind: f"{k}.png" in s.get_attribute("aria-label"))


def test_what_an_answer_rests_on_is_coloured_and_the_search_can_be_cancelled(page, drawn):
    page.choose(drawn / "good.png")
    both = "document.getElementById('explain').click();"
    page.driver.execute_script(both + "document.getElementById('explain-cancel').click()")
    page.until(lambda: page.text("explained") == "Cancelled.")
    assert not page.find("overlay").is_displayed()
    page.find("explain").click()
    page.until(lambda: page.find("overlay").is_displayed())
    assert page.text("explained").startswith("Orange: covering this makes")
    assert "parts that the answer rests on" in page.find("shown").get_attribute("aria-label")
    page.find("explain").click()
    assert not page.find("overlay").is_displayed()


def test_keys_alone_reach_everything_in_order(page, drawn):
    page.open()
    page.choose(drawn / "good.png")
    page.driver.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
    found = []
    for _ in range(12):
        ActionChains(page.driver).send_keys(Keys.TAB).perform()
        active = page.driver.switch_to.active_element
        found.append(active.get_attribute("id") or active.get_attribute("class"))
    assert found == [
        "skip", "language", "camera", "file", "age", "sex", "localization", "explain",
        "folder", "files", "table", found[-1],
    ]  # fmt: skip
    page.find("sex").send_keys("m")
    assert page.find("sex").get_property("value") == "male"
    page.answered()
    page.find("explain").send_keys(Keys.ENTER)
    page.until(lambda: page.find("overlay").is_displayed())
    assert page.driver.switch_to.active_element.get_attribute("id") == "explain"
    page.find("sex").send_keys(Keys.HOME)


def test_every_control_has_a_name_for_screen_readers(page):
    page.driver.execute_cdp_cmd("Accessibility.enable", {})
    for code in ("en", "de"):
        choose_language(page, code)
        nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        shown = [node for node in nodes if not node["ignored"]]
        roles = {"button", "combobox", "spinbutton", "image", "link", "region", "progressbar"}
        named = {role: [] for role in roles}
        for node in shown:
            role = node["role"].get("value")
            if role in roles:
                named[role].append(node.get("name", {}).get("value", ""))
        assert all(all(names) for names in named.values()), named
        assert {len(named["combobox"]), len(named["spinbutton"]), len(named["region"])} == {3, 1, 4}
    choose_language(page, "en")


def test_german_is_german_and_kept(page, drawn):
    page.choose(drawn / "tooDark.png")
    choose_language(page, "de")
    assert page.driver.title == "Hautbild-Kiosk"
    assert page.driver.find_element(By.TAG_NAME, "html").get_attribute("lang") == "de"
    assert page.text("summary").startswith("Am wahrscheinlichsten: ")
    assert "Das Bild ist sehr dunkel." in page.text("warnings")
    assert "Rücken" in page.text("localization")
    page.driver.refresh()
    page.until(lambda: page.text("about").startswith("Modell: slimderm version 7, exportiert am"))
    assert page.text("summary") == "Es fehlt noch ein Bild."
    choose_language(page, "en")


@pytest.mark.parametrize("name", SIZES)
def test_the_page_fits_and_is_made_for_fingers(page, drawn, name):
    width, height = SIZES[name]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.choose(drawn / "tooDark.png")
    script = """
    window.scrollTo(0, 1e6);
    const controls = [...document.querySelectorAll('button, .button, select, input[type=number]')];
    const sizes = controls.filter((each) => each.checkVisibility())
      .map((each) => each.getBoundingClientRect());
    const notice = document.querySelector('.notice').getBoundingClientRect();
    return [document.documentElement.scrollWidth, innerWidth,
      Math.min(...sizes.map((each) => Math.min(each.width, each.height))), notice.top];
    """
    for code in ("en", "de"):
        choose_language(page, code)
        wide, inner, least, top = page.driver.execute_script(script)
        assert wide <= inner == width
        assert least >= 44
        assert top == 0  # "not a medical device" stays in sight
    choose_language(page, "en")
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_batch_is_cancelled_and_keeps_what_it_has(page, drawn, tmp_path):
    files = []
    for number in range(60):
        files.append(tmp_path / f"{number:02}.png")
        files[-1].write_bytes((drawn / "good.png").read_bytes())
    (tmp_path / "00.png").write_text("no picture")
    page.find("files").send_keys("\n".join(map(str, files)))
    page.until(lambda: "60 pictures chosen." in page.text("batch-chosen"))
    both = "document.getElementById('batch-start').click();"
    page.driver.execute_script(
        both + "setTimeout(() => document.getElementById('batch-cancel').click(), 60)"
    )
    page.until(lambda: page.find("batch-save").is_displayed())
    said = page.text("batch-state")
    done = int(re.match(r"Cancelled\. (\d+) of 60 pictures; [01] could not be read\.", said)[1])
    page.find("batch-save").click()
    saved = page.downloads / "probabilities.csv"
    page.until(saved.exists)
    lines = saved.read_text().splitlines()
    saved.unlink()
    assert len(lines) == done + 1 < 61
    assert lines[1].startswith("00.png,00,") and ",noPicture,," in lines[1]


def test_the_pictures_of_a_folder_become_a_table_in_order(page, drawn, description, tmp_path):
    folder = tmp_path / "lesions"
    for name in ("b.png", "deep/=a.png", "notes.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((drawn / "good.png").read_bytes())
    (tmp_path / "people.csv").write_text("image_id;age;sex\nb;45;male\n=a;old;male\n")
    page.open()
    page.find("folder").send_keys(str(folder))
    page.find("table").send_keys(str(tmp_path / "people.csv"))
    page.until(lambda: page.text("batch-chosen") == "2 pictures chosen. Table: 2 rows.")
    page.find("batch-start").click()
    page.until(lambda: page.find("batch-save").is_displayed())
    assert page.text("batch-state") == "2 of 2 pictures; 1 could not be read."
    page.find("batch-save").click()
    saved = page.downloads / "probabilities.csv"
    page.until(saved.exists)
    with saved.open(newline="") as stream:
        first, second = csv.DictReader(stream)
    saved.unlink()
    assert (first["file"], second["file"]) == ("lesions/b.png", "lesions/deep/=a.png")
    assert second["image_id"] == "'=a"
    assert second["error"] == "age: received old, expected years from 0 to 120"
    assert sum(float(first[name]) for name in description["classes"]) == pytest.approx(1, abs=1e-5)
