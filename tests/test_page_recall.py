"""The Recall page under AppTest."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from models import load, names
from training.tasks import recall

PAGE = str(Path(__file__).parents[1] / "app.py")


def opened(**query: str) -> AppTest:
    app = AppTest.from_file(PAGE, default_timeout=30)
    for name, value in query.items():
        app.query_params[name] = value
    app.switch_page("pages/recall.py").run()
    assert not app.exception
    return app


def answer(app: AppTest) -> int:
    (digit,) = [html.body for html in app.get("html") if 'class="digit"' in html.body]
    return int(digit.split(">")[1][0])


def greyed(app: AppTest) -> bool:
    return any("opacity: 0.4" in html.body for html in app.get("html"))


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def expected(name: str, sequence: list[int], index: int) -> int:
    """The model's answer; one that is told the index reads it as one more element."""
    network = load(name)
    question = [index] if recall.query(network.card["data"]) == "any" else []
    return int(network(recall.encode(sequence + question)[None]).argmax())


def test_it_opens_with_the_reports_example() -> None:
    app = opened()
    assert answer(app) == 0
    assert ":green[:material/check_circle: right]" in texts(app)


@pytest.mark.parametrize("name", names("recall"))
def test_a_link_reproduces_the_answer_of_every_network(name: str) -> None:
    sequence = [3, 1, 4, 1, 5, 9, 2, 6, 5, 8]
    index = load(name).card["data"]["index"]
    app = opened(sequence="3141592658", index=str(index), recall_model=name)
    assert app.selectbox(key="recall_model").value == name
    assert answer(app) == expected(name, sequence, index)


def test_typing_and_choosing_another_index() -> None:
    app = opened()
    app.text_input(key="sequence").set_value("4, 8, 1").run()
    assert answer(app) == 8
    app.segmented_control(key="index").set_value(2).run()
    assert app.selectbox(key="recall_model").value == "recall-i2-h10"
    assert answer(app) == 1
    assert not app.exception


@pytest.mark.parametrize(
    ("text", "sentence"), [("", "at least one digit"), ("7x5", "not “x”"), ("1" * 31, "up to 30 digits")]
)
def test_bad_input_is_one_sentence_and_the_former_answer_stays_greyed(text: str, sentence: str) -> None:
    app = opened(sequence="4 8 1")
    app.text_input(key="sequence").set_value(text).run()
    assert sentence in texts(app)
    assert answer(app) == 8
    assert greyed(app)
    assert any("what was asked before, the digit at index 1 of 4 8 1." in each.value for each in app.caption)
    app.text_input(key="sequence").set_value("4 7 1").run()
    assert answer(app) == 7
    assert not greyed(app)


def test_an_index_beyond_the_end_is_one_sentence_and_nothing_is_lost() -> None:
    app = opened(sequence="3141592658", index="7")
    before = answer(app)
    app.text_input(key="sequence").set_value("3 1 4").run()
    assert "nothing at index 7" in texts(app)
    assert answer(app) == before
    assert app.segmented_control(key="index").value == 7
    app.text_input(key="sequence").set_value("3141592658").run()
    assert "nothing at index" not in texts(app)


def test_a_link_to_an_index_beyond_the_end_says_so_too() -> None:
    app = opened(sequence="3 1 4", index="7")
    assert app.segmented_control(key="index").value == 7
    assert "nothing at index 7" in texts(app)
    assert greyed(app)


@pytest.mark.parametrize("index", ["15", "-1", "x", "\u00b2"])
def test_a_link_to_an_index_without_a_network_says_so(index: str) -> None:
    app = opened(sequence="1234567890" * 3, index=index)
    assert f"No network was trained for index {index}: choose one from 0 to 9." in texts(app)
    assert greyed(app)
    app.segmented_control(key="index").set_value(3).run()
    assert answer(app) == 4
    assert "choose one from 0 to 9" not in texts(app)
    assert not greyed(app)


def test_it_is_forgotten_once_one_types_or_takes_an_example() -> None:
    app = opened(index="77")
    app.text_input(key="sequence").set_value("1 2 3").run()
    assert "No network was trained" not in texts(app)
    assert not greyed(app)


def test_what_a_link_asks_for_is_shown_as_it_is() -> None:
    assert r"index \]!\[x\](https://a.b/lo: choose" in texts(opened(index="]![x](https://a.b/long)"))


def test_a_single_index_without_a_network_is_one() -> None:
    app = opened(sequence="12345678901")
    assert any("no network for index 10 yet" in caption.value for caption in app.caption)


def test_more_than_ten_digits_are_answered_with_a_warning() -> None:
    app = opened(sequence="1234567890" * 3)
    assert "none as long as this one." in texts(app)
    assert any("no network for the indices 10 to 29" in caption.value for caption in app.caption)
    assert app.segmented_control(key="index").options == [str(index) for index in range(10)]


def test_another_index_leaves_no_model_behind() -> None:
    app = opened(sequence="3 1 4 1 5", recall_model="recall-i1-h2")
    app.segmented_control(key="index").set_value(4).run()
    app.segmented_control(key="index").set_value(1).run()
    assert app.selectbox(key="recall_model").value == "recall-i1-h10"
    assert "recall_model" not in app.query_params


def test_the_network_that_is_told_the_index_stays_for_every_index() -> None:
    sequence = [3, 1, 4, 1, 5, 9, 2, 6, 5, 8]
    app = opened(sequence="3141592658", index="0", recall_model="recall-any")
    for index, digit in enumerate(sequence):
        app.segmented_control(key="index").set_value(index).run()
        assert app.selectbox(key="recall_model").value == "recall-any"
        assert answer(app) == digit
    assert "It knew as soon as it heard the tenth digit." in texts(app)


@pytest.mark.parametrize("tab", ["Accuracy against length", "Look inside", "How it works"])
def test_every_tab_shows_the_network_that_is_told_the_index(tab: str) -> None:
    app = opened(recall_model="recall-any", recall_tab=tab)
    assert app.selectbox(key="recall_model").value == "recall-any"
    said = {
        "Accuracy against length": "It names the digit at every index of sequences of 3 to 1",
        "Look inside": "all 8 digits must be in the state: 27 bits",
        "How it works": "one element more: the index that is asked for",
    }
    assert not [element for element in app.markdown if element.value == "None"]
    assert said[tab] in texts(app).replace("\n", " ")


@pytest.mark.parametrize("tab", ["Hidden 2, 5 and 10", "Accuracy against length", "Look inside", "How it works"])
def test_every_tab_opens_by_its_link(tab: str) -> None:
    app = opened(recall_tab=tab)
    assert not app.exception


def test_garbage_in_the_link_is_no_accident() -> None:
    app = opened(sequence="<script>", index="99", recall_model="nosuch", recall_tab="nosuch")
    assert "Only the digits 0 to 9" in texts(app)


def test_a_network_that_is_told_its_index_is_not_said_to_need_longer_sequences() -> None:
    app = opened(sequence="1234567890" * 3, index="9", recall_model="recall-any")
    assert "trained on sequences of 3 to 10 digits, none as long as this one." in texts(app)


def test_an_empty_index_in_a_link_is_none_at_all() -> None:
    app = opened(index="")
    assert app.segmented_control(key="index").value == 1
    assert "No network was trained" not in texts(app)
