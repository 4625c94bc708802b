"""Every page by its own address, on a server that has just been started and has shown nothing yet."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
SLOW = 30_000  # milliseconds: the first page of a server imports torch
TITLES = {"": "RNN Lab", "digits": "Digits", "recall": "Recall", "addition": "Addition"}


@pytest.mark.parametrize("path", TITLES)
def test_a_page_opens_by_its_own_address(page: Page, fresh_server: str, path: str) -> None:
    page.goto(f"{fresh_server}/{path}")
    expect(page.get_by_role("heading", name=TITLES[path], exact=True, level=1)).to_be_visible(timeout=SLOW)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_attached(timeout=SLOW)
    expect(page.get_by_role("slider").first).to_be_visible(timeout=SLOW)


def test_the_menu_leads_to_every_page_and_back(page: Page, server_url: str) -> None:
    page.goto(server_url)
    for label, title in {"Digits": "Digits", "Recall": "Recall", "Addition": "Addition", "Start": "RNN Lab"}.items():
        page.get_by_test_id("stMainBlockContainer").get_by_role("link", name=label, exact=True).first.click()
        expect(page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible(timeout=SLOW)


def test_the_start_page_fits_a_phone(phone_page: Page, server_url: str) -> None:
    phone_page.goto(server_url)
    expect(phone_page.get_by_role("link", name="Draw a digit")).to_be_visible(timeout=SLOW)
    assert phone_page.evaluate("document.documentElement.scrollWidth") <= 390
