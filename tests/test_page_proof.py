"""The tab Proof of the Addition page under AppTest."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from models import load, names
from training.tasks import addition

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


def test_what_it_adds_wrongly_stands_there_with_the_right_sum_and_its_own() -> None:
    a, b = (int(operand) for operand in load("addition-bce-h2").card["verdict"]["operands"])
    lines = [line.split()[-1] for line in opened("addition-bce-h2").code[0].value.splitlines()]
    assert [int(line, 2) for line in lines[:3]] == [a, b, a + b]
    network, length = load("addition-bce-h2"), max(a.bit_length(), b.bit_length())
    said = network(addition.encode(a, b, length)[None])[0] > 0
    assert int(lines[3], 2) == addition.decode(said) != a + b


def test_what_it_adds_wrongly_is_loaded_into_the_boxes() -> None:
    app = opened("addition-bce-h2")
    next(button for button in app.button if button.label == "Load into the boxes above").click().run()
    a, b = load("addition-bce-h2").card["verdict"]["operands"]
    assert [int(app.text_input(key=key).value, 2) for key in "ab"] == [int(a), int(b)]
    assert any("wrong at bit" in body.value for body in app.markdown)
