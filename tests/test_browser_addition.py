"""The Addition page in Chromium: typing, buttons, scrubbing, links, the keyboard, and a phone."""

import csv
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

ALL_ONES = "1" * 64
RESULT = ".st-key-answer .sum"
TIMELINE = ".st-key-addition_timeline .timeline"


def go(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/addition{query}")
    expect(page.locator(RESULT)).to_be_visible(timeout=30_000)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached(timeout=30_000)


def add(page: Page, a: str, b: str) -> None:
    for label, number in (("a", a), ("b", b)):
        page.get_by_label(label, exact=True).fill(number)
        page.keyboard.press("Enter")


def query(page: Page) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(urlsplit(page.evaluate("location.href")).query).items()}


def test_two_numbers_are_added(server_url: str, page: Page) -> None:
    go(page, server_url)
    expect(page.locator(RESULT)).to_have_text("101100= 44")
    add(page, "00110", "01011")
    expect(page.locator(RESULT)).to_have_text("010001= 17")
    expect(page.locator(".st-key-answer")).to_contain_text("right")


def test_the_answer_comes_while_one_types(server_url: str, page: Page) -> None:
    go(page, server_url)
    page.get_by_label("a", exact=True).fill("")
    page.get_by_label("a", exact=True).press_sequentially("0110010110101101")
    expect(page.locator(RESULT)).to_have_text("00110010111001100= 26,060")
    page.wait_for_function("location.search.includes('a=0110010110101101')")


def test_a_link_reproduces_the_screen_on_a_new_server(server_url: str, fresh_server: str, page: Page) -> None:
    go(page, server_url)
    page.get_by_role("combobox").click()
    page.get_by_role("option", name="addition-mse-h2").click()
    add(page, "11111111", "00000001")
    expect(page.locator(RESULT)).to_have_text("000000000= 0")
    page.get_by_role("tab", name="All models on this sum").click()
    expect(page.locator(".st-key-addition_table")).to_be_visible()
    link = query(page)
    assert link == {
        "a": "11111111",
        "b": "00000001",
        "addition_model": "addition-mse-h2",
        "addition_tab": "All models on this sum",
    }
    go(page, fresh_server, f"?{urlsplit(page.evaluate('location.href')).query}")
    expect(page.locator(RESULT)).to_have_text("000000000= 0")
    expect(page.locator(".st-key-addition_table")).to_be_visible()
    assert query(page) == link


def test_what_the_buttons_do_stands_in_the_address(server_url: str, page: Page) -> None:
    go(page, server_url, "?addition_model=addition-mse-h2")
    page.get_by_role("button", name="Carry chain").click()
    expect(page.locator(RESULT)).to_have_text("010000= 16")
    page.wait_for_function("location.search.includes('a=01111')")
    page.get_by_role("button", name="Try to break it").click()
    expect(page.get_by_text("Found by trying all pairs")).to_be_visible()
    expect(page.locator(".st-key-answer")).to_contain_text("wrong at bit 7, the sum is 129")
    page.wait_for_function("location.search.includes('b=0000010')")
    assert query(page) == {"a": "1111111", "b": "0000010", "addition_model": "addition-mse-h2"}
    page.get_by_role("radio", name="decimal").click()
    expect(page.get_by_label("a", exact=True)).to_have_value("127")
    page.wait_for_function("location.search.includes('a=127')")
    assert query(page)["notation"] == "decimal"


def test_bad_input_greys_the_former_answer(server_url: str, page: Page) -> None:
    go(page, server_url, "?addition_tab=Look+inside")
    opacity = "e => getComputedStyle(e).opacity"
    assert page.locator(".st-key-answer").evaluate(opacity) == "1"
    add(page, "01101", "2x")
    expect(page.get_by_text("A binary number has only the digits 0 and 1, not “2”.")).to_be_visible()
    expect(page.locator(RESULT)).to_have_text("101100= 44")
    for former in ("answer", "addition_why", "addition_tab_input"):
        assert float(page.locator(f".st-key-{former}").evaluate(opacity)) < 0.6
    expect(page.get_by_label("b", exact=True)).to_have_value("2x")
    add(page, "01101", "1")
    expect(page.locator(RESULT)).to_have_text("001110= 14")
    assert page.locator(".st-key-answer").evaluate(opacity) == "1"


def test_scrubbing_tells_each_column_and_stays_in_the_browser(server_url: str, page: Page) -> None:
    go(page, server_url)
    timeline = page.locator(TIMELINE)
    sent: list[str | bytes] = []

    def note(frame: str | bytes) -> None:
        sent.append(frame)

    page.on("websocket", lambda socket: socket.on("framesent", note))
    page.reload()
    expect(timeline.locator(".note")).to_contain_text("Both numbers have ended, and the carry 1 is left: write 1.")
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached()
    page.wait_for_timeout(500)
    sent.clear()
    slider = timeline.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("ArrowRight")  # as the eye moves: back to bit 4
    expect(timeline.locator(".note")).to_contain_text("Bit 4: 0 + 1 with carry 1 in makes 2: write 0, carry 1.")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(timeline.locator(".note")).to_contain_text("Bit 0: 1 + 1 makes 2: write 0, carry 1.")
    assert sent == []


def test_the_keyboard_is_enough(server_url: str, page: Page) -> None:
    go(page, server_url)
    page.get_by_label("a", exact=True).focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("111")
    page.keyboard.press("Enter")
    expect(page.locator(RESULT)).to_have_text("100110= 38")
    reached = []
    for _ in range(20):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.innerText || document.activeElement.ariaLabel || ''"))
        if "Try to break it" in reached[-1]:
            break
    assert "Try to break it" in reached[-1], reached
    page.keyboard.press("Enter")
    expect(page.get_by_text("Found a pair of")).to_be_visible()


def test_64_bits_scroll_in_their_own_box(server_url: str, phone_page: Page) -> None:
    go(phone_page, server_url, f"?a={ALL_ONES}&b={ALL_ONES}&addition_model=addition-mse-h5")
    expect(phone_page.locator(f"{RESULT} .number")).to_have_text("=\N{NO-BREAK SPACE}36,893,488,147,419,103,230")
    expect(phone_page.locator(f"{RESULT} .bits")).to_have_text(f"{ALL_ONES}0")
    for tab in ("Accuracy against length", "All models on this sum", "How it works"):
        phone_page.get_by_role("tab", name=tab).click()
        expect(phone_page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        phone_page.wait_for_timeout(1000)
        assert phone_page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    assert phone_page.locator(f"{TIMELINE} .scroll").evaluate("e => e.scrollWidth > e.clientWidth + 1000")


def test_the_accuracies_are_drawn_and_can_be_taken_away(server_url: str, page: Page) -> None:
    shown = "addition_models=all+models&numbers=carry+chains&longest=16"
    go(page, server_url, f"?addition_tab=Accuracy+against+length&{shown}")
    chart = page.get_by_test_id("stVegaLiteChart")
    expect(chart.locator("svg, canvas").first).to_be_visible()
    expect(page.get_by_text("On carry chains of up to 16 bits")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert len(rows) == 7 * 16
    trained = {f"{loss} h{size}" for loss in ("BCE", "MSE") for size in (2, 5, 10)}
    assert {row["model"] for row in rows} == trained | {"ideal h2"}
    assert all(0 <= float(row["sum_accuracy"]) <= float(row["bit_accuracy"]) <= 1 for row in rows)
