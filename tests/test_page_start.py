"""The Start page under AppTest: three networks at work."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest

PAGE = str(Path(__file__).parents[1] / "app.py")


def test_its_three_examples_are_answered_rightly() -> None:
    app = AppTest.from_file(PAGE, default_timeout=30).run()
    assert not app.exception
    said = "\n".join(element.value for element in app.markdown)
    assert "Sure of 7 from row" in said
    assert "Its answer in the end: 0, at" in said
    assert "Its answer: 13 + 31 = 44." in said


@pytest.mark.browser
def test_it_fits_a_phone(phone_page: Page, server_url: str) -> None:
    phone_page.goto(server_url)
    expect(phone_page.get_by_role("link", name="Draw a digit")).to_be_visible()
    assert phone_page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.browser
def test_it_leads_to_training_and_to_the_runs(page: Page, server_url: str) -> None:
    page.goto(server_url)
    page.get_by_role("link", name="Train an adder").click()
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Compare in Runs").click()
    expect(page.get_by_role("heading", name="Runs")).to_be_visible()
