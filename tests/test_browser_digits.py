"""The Digits page in Chromium: drawn digits, links, keys, files, and where things stand."""

import math
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, CDPSession, Page, expect

from training.tasks import digits, samples

pytestmark = pytest.mark.browser

Point = tuple[float, float]


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[Point]:
    """Points on an ellipse around (x, y), from `start` to `end` degrees, clockwise from the right."""
    angles = [math.radians(start + (end - start) * i / 16) for i in range(17)]
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


# Strokes as people draw them, in a square of 280.
DIGITS: dict[int, list[list[Point]]] = {
    0: [arc(140, 140, 50, 80, -90, 270)],
    1: [[(120, 90), (150, 60), (150, 220)]],
    2: [[*arc(140, 100, 45, 40, -170, 30), (95, 215), (195, 215)]],
    3: [[*arc(135, 100, 45, 38, -150, 90), *arc(135, 178, 50, 40, -90, 150)]],
    4: [[(150, 60), (90, 160), (200, 160)], [(165, 110), (165, 225)]],
    5: [[(190, 65), (110, 65), (105, 130), *arc(140, 170, 50, 45, -130, 140)]],
    6: [[(170, 60), (130, 90), (103, 135), *arc(140, 175, 45, 42, 180, 540)]],
    7: [[(90, 70), (200, 70), (130, 220)]],
    8: [arc(140, 100, 38, 38, 90, 450), arc(140, 180, 45, 42, -90, 270)],
    9: [[*arc(140, 105, 42, 40, 0, 360), (182, 105), (170, 220)]],
}


def open_page(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/digits{query}")
    expect(page.locator(".digit")).to_be_visible()
    settle(page)


def settle(page: Page) -> None:
    """Wait until the script rests and the chart is drawn."""
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached()
    expect(page.locator(".st-key-answer svg.marks")).to_be_visible()


def square(page: Page) -> Point:
    """The top left corner, on the screen, of the square that one draws in."""
    canvas = page.locator("canvas.upper-canvas")
    expect(canvas).to_have_count(1)  # a cleared canvas is a new one
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    return box["x"], box["y"] + box["height"] - box["width"]  # below the strip of tools


def drag(page: Page, stroke: list[Point]) -> None:
    """Draw a stroke with the mouse."""
    left, top = square(page)
    page.mouse.move(left + stroke[0][0], top + stroke[0][1])
    page.mouse.down()
    for x, y in stroke[1:]:
        page.mouse.move(left + x, top + y, steps=2)
    page.mouse.up()


def draw(page: Page, digit: int) -> None:
    """Draw with the mouse, and wait until the network has read it."""
    for stroke in DIGITS[digit]:
        drag(page, stroke)
    expect(page.locator(".st-key-digits_source")).to_have_text("The network reads your drawing.")
    expect(page.locator(".digit")).to_have_text(str(digit))
    settle(page)  # the belief and its sentence come later


def notice(page: Page) -> str:
    return page.locator(".st-key-digits_notice").inner_text()


def test_all_ten_digits_drawn_with_the_mouse_are_read(server_url: str, page: Page) -> None:
    open_page(page, server_url)
    for digit in DIGITS:
        draw(page, digit)
        page.get_by_role("button", name="Clear").click()
        expect(page.locator(".st-key-digits_source")).to_contain_text("Nothing is drawn yet")
        settle(page)


def test_a_link_shows_the_same_screen_to_someone_else(server_url: str, page: Page, browser: Browser) -> None:
    open_page(page, server_url)
    draw(page, 7)
    page.get_by_role("combobox", name="Model").click()
    page.get_by_role("option", name="digits-bilstm-l2").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("This network does so twice")
    settle(page)
    with browser.new_context() as elsewhere:
        other = elsewhere.new_page()
        other.goto(page.url)
        expect(other.locator(".digit")).to_have_text(page.locator(".digit").inner_text())
        expect(other.locator(".st-key-digits_notice")).to_have_text(notice(page))
        expect(other.get_by_role("tabpanel")).to_contain_text("This network does so twice")


def test_the_drawing_is_still_there_after_a_visit_to_another_page(server_url: str, page: Page) -> None:
    open_page(page, server_url)
    draw(page, 5)
    sentence = notice(page)
    menu = page.locator(".st-key-menu")
    menu.get_by_role("link", name="Start").click()
    expect(page.locator("h1")).not_to_have_text("Digits")
    menu.get_by_role("link", name="Digits").click()
    expect(page.locator(".st-key-digits_notice")).to_have_text(sentence)
    expect(page.locator(".digit")).to_have_text("5")


def test_each_row_of_the_image_stands_beside_its_belief(server_url: str, page: Page) -> None:
    open_page(page, server_url)
    rows = page.locator(".st-key-digits_belief_column tbody tr")
    expect(rows).to_have_count(28)
    boxes = rows.evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => {"
        " const box = cell.getBoundingClientRect(); return [box.top, box.height] }))"
    )
    assert all(len(row) == 11 and len({tuple(cell) for cell in row}) == 1 for row in boxes)
    assert len({row[0][1] for row in boxes}) == 1


def test_three_columns_on_a_laptop(server_url: str, page: Page) -> None:
    open_page(page, server_url)
    boxes = [page.locator(f".st-key-{key}").bounding_box() for key in ("digits_draw", "digits_belief_column", "answer")]
    for left, right in pairwise(boxes):
        assert left["x"] + left["width"] <= right["x"]
        assert left["y"] == right["y"]
    size = page.locator(".digit").evaluate("element => parseFloat(getComputedStyle(element).fontSize)")
    others = page.locator("h1, h2, h3, p:not(.digit)").evaluate_all(
        "elements => elements.map(element => parseFloat(getComputedStyle(element).fontSize))"
    )
    assert size > 2 * max(others)


def test_one_column_on_a_phone_in_the_order_draw_answer_belief(server_url: str, phone_page: Page) -> None:
    open_page(phone_page, server_url)
    keys = ("digits_draw", "answer", "digits_belief_column")
    boxes = [phone_page.locator(f".st-key-{key}").bounding_box() for key in keys]
    for upper, lower in pairwise(boxes):
        assert upper["y"] + upper["height"] <= lower["y"]
    assert phone_page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


def touch(session: CDPSession, kind: str, points: list[Point]) -> None:
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})


def test_a_finger_draws_and_the_page_stands_still(server_url: str, phone_page: Page) -> None:
    open_page(phone_page, server_url)
    session = phone_page.context.new_cdp_session(phone_page)
    canvas = phone_page.locator("canvas.upper-canvas")
    canvas.evaluate("element => element.scrollIntoView({block: 'center'})")
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    before = phone_page.evaluate(scrolled)
    left, top = square(phone_page)
    points = [(left + x, top + y) for x, y in DIGITS[3][0]]
    touch(session, "touchStart", points[:1])
    for point in points[1:]:
        touch(session, "touchMove", [point])
    touch(session, "touchEnd", [])
    expect(phone_page.locator(".st-key-digits_source")).to_have_text("The network reads your drawing.")
    expect(phone_page.locator(".digit")).to_have_text("3")
    assert phone_page.evaluate(scrolled) == before


def test_test_images_by_keyboard(server_url: str, page: Page) -> None:
    open_page(page, server_url)
    page.get_by_role("radio", name="Draw").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    number = page.get_by_role("spinbutton", name="Test image")
    expect(number).to_be_visible()
    number.fill("18")
    number.press("Enter")
    first = re.compile(r"\btest image 18\b")
    expect(page.locator(".st-key-digits_source")).to_contain_text(first)
    assert page.url.endswith("?input=Test+image&sample=18")
    page.get_by_role("button", name="Random").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-digits_source")).not_to_contain_text(first)
    chosen = int(page.url.rpartition("=")[2])
    assert chosen < samples.count()


@pytest.mark.skipif(not digits.available(), reason="MNIST is not on this machine (set RNN_LAB_DATA)")
def test_right_and_wrong_are_told_by_sign_and_word(server_url: str, page: Page) -> None:
    open_page(page, server_url, "?input=Test+image&sample=0")
    expect(page.locator(".st-key-answer")).to_contain_text("right")
    expect(page.locator(".st-key-answer")).to_contain_text("check_circle")


def test_a_file_that_is_no_photo_greys_the_answer_until_a_good_one_comes(
    server_url: str, page: Page, tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("This is a text.")
    picture = np.full((400, 300, 3), 230, np.uint8)
    picture[80:320, 140:165] = 40  # a 1
    Image.fromarray(picture).save(tmp_path / "one.jpg")
    open_page(page, server_url)
    draw(page, 4)
    page.get_by_role("tab", name="All models").click()
    page.get_by_role("radio", name="Photo").click()
    page.locator("input[type=file]").set_input_files(tmp_path / "text.png")
    expect(page.get_by_test_id("stAlert")).to_have_text("The file is neither a PNG nor a JPEG image.")
    expect(page.locator(".digit")).to_have_text("4")
    for former in ("answer", "digits_belief_column", "digits_tab_input"):
        expect(page.locator(f".st-key-{former}")).to_have_css("opacity", "0.4")
    page.locator("input[type=file]").set_input_files(tmp_path / "one.jpg")
    expect(page.locator(".digit")).to_have_text("1")
    expect(page.locator(".st-key-answer")).to_have_css("opacity", "1")
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    page.get_by_role("radio", name="Draw").click()
    expect(page.locator(".digit")).to_have_text("4")


def test_all_models_stand_side_by_side_on_one_scrubber(server_url: str, page: Page) -> None:
    open_page(page, server_url)
    page.get_by_role("tab", name="All models on this drawing").click()
    panel = page.get_by_role("tabpanel")
    expect(panel.locator("tbody tr").first).to_be_visible()
    expect(panel.locator("th.title")).to_have_text(
        ["What they see", "Best reader", "RNN", "RNN L2", "GRU", "GRU L2", "BiLSTM", "BiLSTM L2"]
    )
    panel.get_by_role("slider").press("Home")
    expect(panel.locator(".note .position")).to_have_text("After row 1 of 28:")
    expect(panel.locator(".note .sentence")).to_have_text(re.compile(r"^Best reader \d, RNN \d, .*BiLSTM L2 \d\.$"))
