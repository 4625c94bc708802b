"""The tab Proof of the Addition page under AppTest."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from models import load, names

ROOT = Path(__file__).parents[1]


def opened(name: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.query_params["addition_tab"] = "Proof"
    app.query_params["addition_model"] = name
    return app.switch_page("pages/addition.py").run()


@pytest.mark.parametrize("name", names("addition"))
def test_the_tab_says_what_the_card_says(name: str) -> None:
    app = opened(name)
    assert not app.exception
    known = load(name).card["verdict"]
    shown = {"proved": app.success, "fails": app.error, "undecided": app.info}[known["kind"]]
    assert known["reason"] in shown[0].value
    assert len(app.get("graphviz_chart")) == 2


def test_what_it_adds_wrongly_is_loaded_into_the_stepper() -> None:
    app = opened("addition-bce-h2")
    next(button for button in app.button if button.label == "Load into the stepper").click().run()
    a, b = load("addition-bce-h2").card["verdict"]["operands"]
    assert [int(app.text_input(key=key).value, 2) for key in "ab"] == [int(a), int(b)]
    assert any("wrong at bit" in body.value for body in app.markdown)
