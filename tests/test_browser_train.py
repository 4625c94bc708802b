"""Training in Chromium: on while one looks elsewhere, there after a reload, stopped at will, side by side."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from models import Network, belief, load
from tests import live
from tests.test_browser_digits import DIGITS, drag, settle
from training.tasks import digits
from ui.drawing import decode, render
from ui.words import percent

pytestmark = pytest.mark.browser

TRAINED = 240_000  # milliseconds: a run of a few seconds, on such a machine
SMALL = (
    "train_digits_num_layers=1&train_digits_hidden_size=64&train_digits_batch_size=100"
    "&train_digits_dataset=scikit-learn's+digits&train_digits_epochs"
)


def press(page: Page, label: str) -> None:
    page.get_by_role("button", name=label, exact=True).click()


def train(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    press(page, "Train")
    expect_started(page)


def expect_started(page: Page) -> None:
    """On a slow machine a short run may have ended by the time that the page is looked at."""
    expect(page.get_by_text(re.compile("is training:|is trained")).first).to_be_visible(timeout=TRAINED)


def chosen_model(page: Page) -> str:
    return page.get_by_role("combobox", name="Model").input_value()


def test_a_run_goes_on_through_other_pages_and_a_reload_and_its_network_then_reads_a_drawing(
    page: Page, server: live.Server
) -> None:
    train(page, f"{server.url}/digits?digits_tab=Train&{SMALL}=1000")  # it ends when it is stopped
    expect(page.get_by_test_id("stCaptionContainer").get_by_text("gru-1x64-sklearn is training:")).to_be_visible()
    address = page.url
    page.get_by_role("link", name="Recall").click()
    expect(page.locator("h1")).to_have_text("Recall")
    expect(page.get_by_test_id("stCaptionContainer").get_by_text("gru-1x64-sklearn is training:")).to_be_visible()
    page.goto(address)
    expect(page.get_by_test_id("stProgress")).to_contain_text("steps/s", timeout=TRAINED)
    press(page, "Stop")
    stopped = re.compile(r"gru-1x64-sklearn was stopped in epoch \d+ of 1000. On the test data: accuracy")
    expect(page.get_by_text(stopped)).to_be_visible(timeout=TRAINED)
    assert chosen_model(page) == "gru-1x64-sklearn"
    settle(page)
    (stroke,) = DIGITS[3]
    drag(page, stroke)
    expect(page.locator(".st-key-digits_source")).to_have_text("The network reads your drawing.")
    settle(page)
    run = max(server.runs.glob("*-digits-*"))
    expect_reading(page, load(run / "weights.safetensors"))
    assert chosen_model(page) == "gru-1x64-sklearn"


def ink(page: Page) -> int:
    """How many dark pixels the canvas shows."""
    canvases = page.locator(".st-key-digits_canvas canvas")
    return canvases.evaluate_all(
        """canvases => Math.max(...canvases.map(canvas => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let dark = 0;
            for (let i = 0; i < data.length; i += 4) dark += data[i + 3] > 200 && data[i] < 60;
            return dark;
        }))"""
    )


def test_a_drawing_stays_on_the_canvas_while_a_run_starts_and_ends(page: Page, server_url: str) -> None:
    page.goto(f"{server_url}/digits?digits_tab=Train&{SMALL}=1")
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    settle(page)
    for stroke in DIGITS[5]:
        drag(page, stroke)
    expect(page.locator(".st-key-digits_source")).to_have_text("The network reads your drawing.")
    settle(page)
    drawn = ink(page)
    assert drawn > 500
    press(page, "Train")
    expect_started(page)
    assert ink(page) == drawn
    expect(page.get_by_text("is trained. On the test data: accuracy")).to_be_visible(timeout=TRAINED)
    settle(page)
    assert ink(page) == drawn


def expect_reading(page: Page, network: Network) -> None:
    """The answer, the bars and the belief after each row are what this network makes of the drawing in the address."""
    (code,) = parse_qs(urlsplit(page.url).query)["drawing"]
    rows = belief(network, digits.prepare(render(decode(code))))
    expect(page.locator(".digit")).to_have_text(str(rows[-1].argmax()))  # it was taught no scribbles: never a "?"
    shown = page.locator(".st-key-answer svg.marks text", has_text="%")
    assert sorted(shown.all_text_contents()) == sorted(percent(p) for p in rows[-1])
    cells = page.locator(".st-key-digits_belief_column td.heat")
    percents = cells.evaluate_all("cells => cells.map(cell => parseFloat(cell.ariaLabel.replace('over ', '')))")
    assert percents == pytest.approx(100 * rows.flatten(), abs=0.11)  # rounded twice on their way


def test_a_run_is_stopped_and_its_best_network_kept(page: Page, server_url: str) -> None:
    train(page, f"{server_url}/addition?addition_tab=Train&train_addition_epochs=900&train_addition_cell=GRU")
    expect(page.get_by_test_id("stProgress")).to_contain_text("steps/s", timeout=TRAINED)
    press(page, "Stop")
    expect(page.get_by_text(re.compile(r"was stopped in epoch \d+ of 900. On the test data:"))).to_be_visible(
        timeout=TRAINED
    )
    assert chosen_model(page).startswith("gru-1x10-bce")


def test_two_sessions_train_at_once_and_each_gets_its_own(laptop: BrowserContext, server_url: str) -> None:
    with laptop.new_page() as first, laptop.new_page() as second:
        train(
            first,
            f"{server_url}/addition?addition_tab=Train&train_addition_hidden_size=3&train_addition_num_batches=50",
        )
        train(second, f"{server_url}/recall?recall_tab=Train&train_recall_hidden_size=3&train_recall_num_batches=50")
        for page, name in ((first, "lstm-1x3-bce-num-batches50"), (second, "bilstm-1x3-num-batches50")):
            expect(page.get_by_text(f"{name} is trained. On the test data:")).to_be_visible(timeout=TRAINED)
            assert chosen_model(page) == name


def test_nothing_typed_is_lost_while_a_run_starts_and_ends(page: Page, server_url: str) -> None:
    page.goto(f"{server_url}/addition?addition_tab=Train&train_addition_hidden_size=4&train_addition_epochs=1")
    box = page.get_by_role("textbox", name="a", exact=True)
    expect(box).to_be_visible()
    box.fill("1100")
    press(page, "Train")
    # The click writes the run into the address. What is typed within the same fraction of a second can be overwritten
    # by that, which is how Streamlit binds widgets to the address; nobody types so fast after a click.
    expect_started(page)
    page.get_by_role("textbox", name="b", exact=True).fill("0011")
    expect(page.get_by_text("lstm-1x4-bce is trained.")).to_be_visible(timeout=TRAINED)
    expect(box).to_have_value("1100")
    expect(page.locator(".st-key-answer .bits")).to_have_text("01111")
