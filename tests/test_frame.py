"""The frame: menu, titles, deep links and the link to share, under AppTest and in Chromium."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

from tests.pages import opened
from ui.frame import PAGES

ROOT = Path(__file__).parents[1]
SCRIPTS = [script for script, _, _ in PAGES]


def path_of(script: str) -> str:
    """The part of the address that opens a script's page."""
    return "" if script == "app.py" else Path(script).stem


def test_the_menu_lists_every_page_once() -> None:
    on_disk = {"app.py"} | {f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py")}
    assert set(SCRIPTS) == on_disk
    assert len(SCRIPTS) == len(on_disk)


@pytest.fixture
def small_app(tmp_path: Path) -> Path:
    """An app with the lab's pages, each of which holds nothing but its frame and the link to share."""
    (tmp_path / "pages").mkdir()
    for script, label, _ in PAGES:
        (tmp_path / script).write_text(
            f"from ui.frame import page, share_link\npage('{label}', '🔬', 'What one does here.')\nshare_link()\n"
        )
    return tmp_path / "app.py"


def test_a_page_has_the_menu_one_heading_and_its_lead(small_app: Path) -> None:
    app = AppTest.from_file(str(small_app)).run()
    assert not app.exception
    assert [heading.value for heading in app.title] == ["Start"]
    assert [text.value for text in app.markdown] == ["What one does here."]
    assert [link.proto.label for link in app.get("page_link")] == [label for _, label, _ in PAGES]


def is_drawn(page: Page) -> None:
    """Wait until the page is whole."""
    expect(page.locator("h1")).to_be_visible()
    rests = page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
    expect(rests).to_be_attached(timeout=60_000)  # the Report's first figures take a new server long


@pytest.mark.parametrize("page", ["digits", "recall", "addition"])
def test_the_tab_below_an_answer_has_a_link_before_any_formula(page: str) -> None:
    """Else the browser searches all parts of all formulas for one, at every answer."""
    tab = opened(page).tabs[-1]
    assert tab.label == "How it works"
    text = "".join(element.value for element in tab.markdown)
    assert 0 < text.index("](http") < text.index("$$")


@pytest.mark.browser
def test_every_page_opens_by_its_own_address_on_a_new_server(fresh_server: str, page: Page) -> None:
    for script in reversed(SCRIPTS):  # the first to be opened is not the one that the app starts with
        page.goto(f"{fresh_server}/{path_of(script)}")
        is_drawn(page)
        expect(page).to_have_title(f"{page.locator('h1').inner_text()} · RNN Lab" if path_of(script) else "RNN Lab")


@pytest.mark.browser
def test_the_menu_leads_to_every_page_and_marks_it(server_url: str, page: Page) -> None:
    page.goto(server_url)
    for script, label, _ in reversed(PAGES):
        link = page.locator(".st-key-menu").get_by_role("link", name=label)
        is_drawn(page)  # a click is lost on what is drawn anew just then
        link.click()
        expect(link.locator("p")).to_have_css("font-weight", "600")
        assert urlsplit(page.url).path.strip("/") == path_of(script)


@pytest.mark.browser
@pytest.mark.parametrize("way", ["Back", "the menu"])
def test_whoever_comes_back_finds_what_was_typed(way: str, server_url: str, page: Page) -> None:
    page.goto(f"{server_url}/recall")
    sequence = page.get_by_role("textbox", name="Sequence")
    sequence.fill("5 8 3 1")
    expect(page.locator(".digit")).to_have_text("8")
    page.get_by_role("link", name="Addition").click()
    page.wait_for_url("**/addition")
    expect(page.get_by_role("textbox", name="a", exact=True)).to_be_visible()
    if way == "Back":
        page.go_back()
    else:
        page.get_by_role("link", name="Recall").click()
    expect(sequence).to_have_value("5 8 3 1")
    page.wait_for_url("**/recall?sequence=5*")
    expect(page.locator(".digit")).to_have_text("8")


@pytest.mark.browser
def test_the_shared_address_is_that_of_the_page_with_its_settings(server_url: str, page: Page) -> None:
    page.goto(f"{server_url}/recall?sequence=7+0+5&index=2")
    is_drawn(page)
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_test_id("stCode")).to_have_text(f"{server_url}/recall?sequence=7+0+5&index=2")


@pytest.mark.browser
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_phone_shows_the_menu_and_never_scrolls_sideways(script: str, server_url: str, phone_page: Page) -> None:
    phone_page.goto(f"{server_url}/{path_of(script)}")
    links = phone_page.locator(".st-key-menu").get_by_role("link")
    expect(links).to_have_count(len(PAGES))
    is_drawn(phone_page)
    for link in links.all():
        box = link.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert phone_page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390


@pytest.mark.browser
def test_a_links_tab_can_be_seen_on_a_phone(phone_page: Page, server_url: str) -> None:
    phone_page.goto(f"{server_url}/addition?addition_tab=Train")
    is_drawn(phone_page)
    tab = phone_page.get_by_role("tab", name="Train")
    expect(tab).to_have_attribute("aria-selected", "true")
    phone_page.wait_for_function("tab => tab.getBoundingClientRect().right <= 390", arg=tab.element_handle())
    assert phone_page.get_by_test_id("stMain").evaluate("box => box.scrollTop") == 0


TABS = {  # that have choices of their own
    "digits": ("Look inside", "Train"),
    "recall": ("Look inside", "Train"),
    "addition": ("Accuracy against length", "Look inside", "Train"),
    "report": ("",),
    "runs": ("",),
}


@pytest.mark.parametrize(("page", "tab"), [(page, tab) for page, tabs in TABS.items() for tab in tabs])
def test_empty_values_in_the_address_are_no_accident(page: str, tab: str) -> None:
    """Every widget of the tab gets one; a page that needs a choice takes its default."""
    shown = {f"{page}_tab": tab} if tab else {"compare": "digits-gru"}
    app = opened(page, **shown)
    kinds = ("button_group", "selectbox", "multiselect", "number_input", "slider", "text_input", "checkbox")
    keys = [widget.key for kind in kinds for widget in app.get(kind) if widget.key]
    assert keys
    opened(page, **shown | {key: "" for key in keys if key != "compare"})


@pytest.mark.browser
def test_a_choice_made_after_an_empty_one_is_in_the_address(page: Page, server_url: str) -> None:
    page.goto(f"{server_url}/addition?notation=")
    expect(page.get_by_role("radio", name="binary")).to_be_checked()
    page.get_by_role("radio", name="decimal").click()
    expect(page.get_by_role("textbox", name="a", exact=True)).to_have_value("13")
    expect(page).to_have_url(re.compile("notation=decimal"))
