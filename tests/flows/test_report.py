"""The report of a short run: its figures against the run's own files, and the page in Chromium."""

import json
import re
import shutil
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from slimderm.components.reporting.page import render
from slimderm.flows.base.files import read_json
from slimderm.flows.config.params import read_params
from slimderm.flows.work.report_opening import opening
from slimderm.flows.work.report_tables import Results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

# As MLflow shows an artifact, here on a phone's width.
FRAME = """\
<!doctype html><body><script>
const frame = document.createElement("iframe");
frame.sandbox = "allow-scripts";
frame.width = 360;
frame.height = 740;
frame.src = URL.createObjectURL(new Blob([%s], { type: "text/html" }));
document.body.append(frame);
</script>
"""


@dataclass
class Page(HTMLParser):
    """What stands in a page: its text up to the list of sections, and every address."""

    opening: list = field(default_factory=list)
    sources: list = field(default_factory=list)
    links: list = field(default_factory=list)
    images: list = field(default_factory=list)
    tags: set = field(default_factory=set)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        self.sources += [
            given[name] for name in ("src", "srcset", "data", "action") if name in given
        ]
        if tag == "img":
            self.images.append(given)
        if "href" in given:
            assert tag == "a", tag
            self.links.append(given["href"])

    def handle_data(self, data):
        if "nav" not in self.tags and "h1" in self.tags:
            self.opening.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.opening))


@pytest.fixture(scope="module")
def workspace(made_workspace):
    return made_workspace()


@pytest.fixture(scope="module")
def html(workspace):
    return (workspace.folder / "reports/index.html").read_text()


@pytest.fixture(scope="module")
def page(html):
    found = Page()
    found.feed(html)
    return found


def test_it_opens_with_the_bytes_of_the_dataset_and_what_saved_them(workspace, page):
    files = {name: workspace.folder / f"data/{name}" for name in ("raw", "compressed")}
    manifest = pd.read_parquet(files["compressed"] / "manifest.parquet")
    before = sum((files["raw"] / name).stat().st_size for name in manifest["source_file"])
    after = sum((files["compressed"] / name).stat().st_size for name in manifest["file"])
    assert (
        f"{before / 1e3:.0f} kB → {after / 1e3:.0f} kB {before / after:.3g}× smaller" in page.text
    )
    mean, worst = manifest["ssim"].mean(), manifest["ssim"].min()
    assert f"1 → {mean:.4f} worst image {worst:.4f}, mean PSNR" in page.text
    sweep = pd.read_csv(workspace.folder / "data/sweep/summary.csv").query("stage == 'after'")
    (control,) = sweep.query("arm == 'control'")["bytes_after"]
    choice = read_json(workspace.folder / "data/choice.json")
    (svd,) = sweep[(sweep["arm"] == "svd") & (sweep["k"] == choice["k"])]["bytes_after"]
    assert f"encoder: jpeg, quality 95{before / control:.3f}×" in page.text
    assert f"SVD, k = {choice['k']}{control / svd:.3f}×" in page.text


def test_it_opens_with_the_network_from_what_to_what(workspace, page):
    steps = read_json(workspace.folder / "models/lenet5/pruned/steps.json")["steps"]
    registry = read_json(workspace.folder / "data/registry.json")
    small = next(each for each in steps if each["notation"] == registry["challenger"]["notation"])
    whole = steps[0]
    assert small["num_parameters"] < whole["num_parameters"]
    ratio = whole["num_parameters"] / small["num_parameters"]
    assert (
        f"{whole['num_parameters']:,} → {small['num_parameters']:,} {ratio:.3g}× fewer" in page.text
    )
    assert f"{whole['latency_p50_ms']:.3g} ms → {small['latency_p50_ms']:.3g} ms" in page.text
    original = read_json(workspace.folder / "models/lenet5/baseline/original/record.json")
    for record in (original, small):
        for metric in ("balanced_accuracy", "melanoma_sensitivity", "accuracy"):
            low, high = record["intervals"][f"test_{metric}"]
            value = record["metrics"][f"test_{metric}"]
            assert f"{value:.3f} ({low:.3f} to {high:.3f})" in page.text
    assert f"{small['verdict']['word']} by the rule relative" in page.text
    assert small["verdict"]["reason"] in page.text


def test_what_figures_stand_on_is_counted(workspace, page):
    catalog = pd.read_csv(workspace.folder / "data/raw/catalog.csv")
    lesions = catalog["lesion_id"].nunique()
    assert f" · {len(catalog)} images of {lesions} lesions" in page.text
    parts = pd.read_csv(workspace.folder / "data/splits.csv").set_index("image_id")["part"]
    tested = catalog[catalog["image_id"].map(parts) == "test"].query("dx == 'mel'")
    images, lesions = len(tested), tested["lesion_id"].nunique()
    record = read_json(workspace.folder / "models/lenet5/baseline/original/record.json")
    assert sum(record["confusion"][0]) == images
    assert lesions < 20
    said = f"{lesions} lesion{'s' * (lesions > 1)}"
    assert (
        f"On {images} image{'s' * (images > 1)} of {said}: the test part's melanomas." in page.text
    )
    assert f"{said} cannot show much: one image moves this by {1 / images:.3g}." in page.text
    head = workspace.run("git", "rev-parse", "HEAD").stdout.strip()
    assert f"commit {head[:10]}" in page.text


def test_the_page_is_one_file(html, page):
    assert page.sources
    assert all(each.startswith("data:image/png;base64,") for each in page.sources)
    assert all(each["alt"] for each in page.images)
    assert not {"link", "iframe", "object", "embed"} & page.tags
    assert not re.search(r"@import|url\(", html)
    places = [each for each in page.links if not each.startswith(("#", "http://127.0.0.1:"))]
    assert places == ["sizes.html"]
    assert 'name="viewport"' in html


def test_only_drawn_data_are_warned_of(workspace, page, monkeypatch, tmp_path):
    monkeypatch.chdir(workspace.folder)
    registry, results = read_json("data/registry.json"), Results.read(read_params())

    def warnings():
        return opening(results, registry, rule="relative", made=[], links={}).warnings

    (warning,) = warnings()
    assert warning in page.text
    place = Path("data/raw/catalog.csv")
    own = place.rename(tmp_path / place.name)  # written anew: its bytes are DVC's, too
    catalog = pd.read_csv(own, dtype=str, keep_default_na=False)
    catalog.assign(dx_type="histo").to_csv(place, index=False)
    assert warnings() == []
    own.replace(place)


def test_a_run_that_accepted_nothing_says_so_and_why(workspace, monkeypatch):
    monkeypatch.chdir(workspace.folder)
    registry = read_json("data/registry.json") | {"challenger": None, "endings": ["It ends."]}
    found = opening(Results.read(read_params()), registry, rule="paper", made=[], links={})
    assert found.verdict is None
    assert found.blocks[1].subject == "No smaller network was accepted."
    assert found.blocks[1].sentences == ["It ends."]
    who = ["unpruned, original images", "unpruned, compressed images"]
    assert [each.who for each in found.accuracy[0].estimates] == who
    assert "It ends." in render("Run", [], found)


def test_what_did_it_is_the_storage_studys_where_the_sweep_tried_another_option(
    workspace, monkeypatch
):
    monkeypatch.chdir(workspace.folder)
    results = Results.read(read_params())
    arms = results.frames["arms"].query("codec == 'avif' and quality == 50")
    (alone,) = arms[arms["k"].isna()]["compression_ratio"]
    k, whole = arms.dropna(subset="k")[["k", "compression_ratio"]].iloc[0]
    choice = replace(results.choice, rule="fewest_bytes", codec="avif", quality=50, k=int(k))
    assert replace(results, choice=choice).ratios() == pytest.approx((alone, whole / alone))
    manifest = pd.read_parquet("data/compressed/manifest.parquet")
    total = manifest["bytes_before"].sum() / manifest["bytes_after"].sum()
    without = replace(results, choice=replace(choice, k=None))
    assert without.ratios() == pytest.approx((total, 1.0))


@pytest.fixture(scope="module")
def sandboxed(html, tmp_path_factory):
    """Chromium with the page in a sandboxed frame."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
    place = tmp_path_factory.mktemp("frame") / "frame.html"
    place.write_text(FRAME % json.dumps(html).replace("</", r"<\/"))
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for name in ("headless", "no-sandbox", "disable-gpu", "no-first-run"):
        options.add_argument(f"--{name}")
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    driver.get(place.as_uri())
    driver.switch_to.frame(0)
    yield driver
    driver.quit()


def column(driver, index):
    script = (
        "return [...document.querySelectorAll('#pruning ~ details table')[0].tBodies[0].rows]"
        ".map(row => row.cells[arguments[0]].textContent)"
    )
    return driver.execute_script(script, index)


def test_a_sandboxed_frame_shows_pictures_and_leads_to_sections(sandboxed):
    assert sandboxed.execute_script("return location.protocol") == "blob:"
    loaded = "return [...document.images].map(image => image.naturalWidth)"
    assert all(width > 0 for width in sandboxed.execute_script(loaded))
    wide = sandboxed.execute_script("return document.documentElement.scrollWidth")
    assert wide <= 360
    sandboxed.find_element(By.CSS_SELECTOR, "nav a[href='#pruning']").click()
    place = "return document.getElementById('pruning').getBoundingClientRect().top"
    assert abs(sandboxed.execute_script(place)) < 2


def test_a_click_on_a_heading_sorts_both_ways(workspace, sandboxed):
    steps = pd.read_csv(workspace.folder / "reports/tables/pruning.csv")["num_parameters"]
    details = sandboxed.find_element(By.CSS_SELECTOR, "#pruning ~ details")
    assert details.get_attribute("open") is None
    sandboxed.execute_script("arguments[0].open = true", details)
    heading = details.find_elements(By.CSS_SELECTOR, "th button")[2]
    assert heading.text == "num parameters"
    for order in (sorted(steps), sorted(steps, reverse=True)):
        heading.click()
        assert column(sandboxed, 2) == [f"{number:,}" for number in order]
    sorts = [each.get_attribute("aria-sort") for each in details.find_elements(By.TAG_NAME, "th")]
    assert [each for each in sorts if each] == ["descending"]
    assert not [each for each in sandboxed.get_log("browser") if each["level"] == "SEVERE"]
