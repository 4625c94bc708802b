"""The Recall page in Chromium."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def open_page(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/recall{query}")
    expect(page.locator(".digit")).to_be_visible()
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached()


def test_typing_a_sequence_is_answered_and_stands_in_the_address(page: Page, server_url: str) -> None:
    open_page(page, server_url)
    page.get_by_role("textbox", name="Sequence").fill("5 8 3 1")
    expect(page.locator(".digit")).to_have_text("8")
    page.get_by_role("radio", name="3", exact=True).click()
    expect(page.locator(".digit")).to_have_text("1")
    page.wait_for_url("**/recall?*index=3*")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    expect(page.locator(".digit")).to_have_text("1")
    expect(page.get_by_role("textbox", name="Sequence")).to_have_value("5 8 3 1")


def test_a_letter_is_one_sentence_and_nothing_is_lost(page: Page, server_url: str) -> None:
    open_page(page, server_url, "?sequence=4+9+2&recall_tab=Hidden+2,+5+and+10")
    expect(page.locator(".digit")).to_have_text("9")
    page.get_by_role("textbox", name="Sequence").fill("4 9 2 x")
    expect(page.get_by_text("Only the digits 0 to 9 can stand in a sequence, not “x”.")).to_be_visible()
    expect(page.locator(".digit")).to_have_text("9")
    for former in ("answer", "recall_why", "recall_tab_input"):
        expect(page.locator(f".st-key-{former}")).to_have_css("opacity", "0.4")


def test_an_example_of_the_report_is_one_click(page: Page, server_url: str) -> None:
    open_page(page, server_url)
    page.get_by_role("button", name="Examples").click()
    page.get_by_text("8 8 7 9", exact=True).click()
    expect(page.locator(".digit")).to_have_text("8")
    expect(page.get_by_role("textbox", name="Sequence")).to_have_value("8 8 7 9")


def test_the_address_names_the_model_on_the_screen(page: Page, server_url: str) -> None:
    open_page(page, server_url, "?recall_model=recall-i1-h2&sequence=31415")
    page.get_by_role("radio", name="4", exact=True).click()
    expect(page.locator(".digit")).to_have_text("5")
    expect(page).not_to_have_url(re.compile("recall_model"))
    page.get_by_role("button", name="Examples").click()
    page.get_by_text("8 8 7 9", exact=True).click()
    expect(page.locator(".digit")).to_have_text("8")
    open_page(page, server_url, page.url[page.url.index("?") :])
    expect(page.get_by_role("combobox", name="Model")).to_have_value("recall-i1-h10")


def test_it_fits_a_phone_with_every_index_in_view(phone_page: Page, server_url: str) -> None:
    open_page(phone_page, server_url, "?sequence=3141592658")
    width = phone_page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    last = phone_page.get_by_role("radio", name="9", exact=True)
    expect(last).to_be_in_viewport(ratio=1)
    last.tap()
    expect(phone_page.locator(".digit")).to_have_text("8")


def test_the_network_that_is_told_the_index_answers_for_every_one(page: Page, server_url: str) -> None:
    open_page(page, server_url, "?recall_model=recall-any&sequence=31415&recall_tab=Accuracy+against+length")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("recall-any")
    for index, digit in enumerate("31415"):
        page.get_by_role("radio", name=str(index), exact=True).click()
        expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached()
        expect(page.locator(".digit")).to_have_text(digit)
    expect(page.get_by_role("combobox", name="Model")).to_have_value("recall-any")
    expect(page.get_by_text("It names the digit at every index of sequences of 3 to 1")).to_be_visible()


@pytest.mark.parametrize(
    ("part", "chart"), [("Gradient+through+time", "gradient_h"), ("Plane+and+fixed+points", "plane")]
)
def test_the_charts_of_look_inside_move_along_and_the_server_hears_nothing(
    part: str, chart: str, page: Page, server_url: str
) -> None:
    sent: list[str | bytes] = []

    def note(frame: str | bytes) -> None:
        sent.append(frame)

    page.on("websocket", lambda socket: socket.on("framesent", note))
    open_page(page, server_url, f"?sequence=31415&recall_tab=Look+inside&inside_recall_part={part}")
    marks = page.locator(f".st-key-inside_recall_{chart} .picture [data-t]")
    expect(marks.and_(page.locator(".now")).first).to_have_attribute("data-t", "4")
    page.get_by_role("slider", name=re.compile("the input: index")).focus()
    page.wait_for_timeout(500)
    sent.clear()
    page.keyboard.press("Home")
    expect(marks.and_(page.locator(".now")).first).to_have_attribute("data-t", "0")
    assert {mark.get_attribute("data-t") for mark in marks.and_(page.locator(".later")).all()} == set("1234")
    expect(page.locator(".st-key-recall_belief .range")).to_have_value("0")
    assert sent == []
