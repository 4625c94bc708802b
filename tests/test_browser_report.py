"""The Report page in Chromium: on a phone, on paper, and the ways from its figures to the pages of the tasks."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.test_page_report import CHARTS, MEASURED
from training.tasks import digits
from ui import picture
from ui.report import MORE

pytestmark = pytest.mark.browser
DRAWN = 120_000  # milliseconds: all figures, on such a machine
FIGURES = sum(CHARTS[part] for part in MEASURED)
PAPER = range(6, 14)  # sheets of A4; it was nine


def settle(page: Page) -> None:
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached()


def open_page(page: Page, url: str) -> None:
    """Open the report, and wait until all its figures are drawn."""
    page.goto(f"{url}/report")
    expect(page.locator(".st-key-report .marks")).to_have_count(FIGURES, timeout=DRAWN)
    settle(page)
    for drawn in page.locator(".st-key-report .marks").all():
        assert not picture.NOWHERE.search(drawn.inner_html())


def link_of(page: Page, figure: str, label: str) -> Locator:
    """The link of one of a figure's series, unfolded."""
    page.locator(f".st-key-figure_{figure}").get_by_role("button", name=MORE).click()
    link = page.get_by_role("dialog").get_by_role("link", name=label)
    expect(link).to_be_visible()
    return link


def expect_model(page: Page, name: str) -> None:
    expect(page.get_by_role("combobox", name="Model")).to_have_value(name)
    settle(page)


def test_it_fits_a_phone_with_all_figures(phone_page: Page, server_url: str) -> None:
    open_page(phone_page, server_url)
    assert phone_page.evaluate("document.documentElement.scrollWidth") <= 390
    main = phone_page.get_by_test_id("stMain")
    assert main.evaluate("box => box.scrollWidth - box.clientWidth") <= 0
    sizes = phone_page.locator(".st-key-report .narrow .marks").evaluate_all(
        "all => all.map(each => [each.getBoundingClientRect().right, each.querySelectorAll('path, text').length])"
    )
    assert all(0 < right <= 390 and marks > 10 for right, marks in sizes), sizes
    figure = phone_page.locator(".st-key-figure_accuracy-figure figure")
    mark = figure.locator(".narrow [aria-roledescription=point]").first
    mark.tap()
    expect(figure.locator(".tip")).to_have_text(mark.get_attribute("aria-label"))  # and it stays when the finger lifts


FILL = "mark => getComputedStyle(mark).fill"


def test_a_picture_tells_its_values_fills_the_screen_and_follows_the_theme(page: Page, server_url: str) -> None:
    open_page(page, server_url)
    figure = page.locator(".st-key-figure_accuracy-figure figure")
    figure.scroll_into_view_if_needed()
    mark = figure.locator(".wide [aria-roledescription=point]").first
    said = mark.get_attribute("aria-label")
    assert "RNN 2 x 128, without weight decay: 9" in said
    mark.hover()
    expect(figure.locator(".tip")).to_have_text(said)
    page.mouse.move(2, 2)
    expect(figure.locator(".tip")).to_be_hidden()
    small = figure.locator(".wide .marks").bounding_box()["height"]
    figure.hover()
    figure.get_by_role("button", name="Full screen").click()
    page.wait_for_function(
        "innerHeight * 0.9 < document.fullscreenElement?.shadowRoot?.fullscreenElement?.offsetHeight"
    )
    assert figure.locator(".wide .marks").bounding_box()["height"] > small
    page.keyboard.press("Escape")
    assert mark.evaluate(FILL) == "rgb(31, 95, 191)"
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"mark => ({FILL})(mark) === 'rgb(78, 126, 225)'", arg=mark.element_handle())


def test_it_prints_on_a_few_sheets(page: Page, server_url: str) -> None:
    open_page(page, server_url)
    paper = page.pdf(format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) in PAPER


def test_a_series_opens_the_shipped_model_and_its_settings(page: Page, server_url: str) -> None:
    open_page(page, server_url)
    link_of(page, "addition-curves-lstm-bce-training-loss", "5 hidden").click()
    expect_model(page, "addition-bce-h5")
    assert "train_addition_hidden_size=5" in page.url
    expect(page.get_by_role("slider", name="Hidden size")).to_have_value("5")
    expect(page.get_by_role("slider", name="Number of seeds")).to_have_value("64")


def test_other_figures_open_as_what_they_show(page: Page, server_url: str) -> None:
    open_page(page, server_url)
    lengths = link_of(page, "addition-lengths-lstm-bce-random-numbers-2-hidden", "2 hidden").evaluate(
        "link => link.href"
    )
    page.keyboard.press("Escape")
    index = link_of(page, "index-figure", "index 9").evaluate("link => link.href")
    page.keyboard.press("Escape")
    confusion = link_of(page, "confusion-figure-digits-rnn", "digits-rnn").evaluate("link => link.href")
    page.goto(lengths)
    expect_model(page, "addition-bce-h2")
    expect(page.get_by_role("tab", name="Accuracy against length")).to_have_attribute("aria-selected", "true")
    page.goto(index)
    expect_model(page, "recall-i9-h10")
    expect(page.locator(".digit")).to_have_text("8")
    page.goto(confusion)
    expect_model(page, "digits-rnn")


@pytest.mark.skipif(not digits.available(), reason="MNIST is not on this machine (set RNN_LAB_DATA)")
def test_a_sample_image_opens_as_it_was_read(page: Page, server_url: str) -> None:
    open_page(page, server_url)
    first = page.locator(".images a").first
    said = re.search(r"read as (\d)", first.get_by_role("img").get_attribute("alt"))[1]
    page.goto(first.evaluate("link => link.href"))
    expect_model(page, "digits-rnn")
    expect(page.locator(".digit")).to_have_text(said)
