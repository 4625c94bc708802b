"""The Addition page under AppTest: inputs, answers, buttons, tabs, and what it does with nonsense."""

from pathlib import Path
from unittest.mock import patch

import pytest
from streamlit.testing.v1 import AppTest

from models import names
from training.tasks import addition, lengths

APP = Path(__file__).parents[1] / "app.py"
ALL_ONES = "1" * 64


def opened(**query: str) -> AppTest:
    """The page as a link with this query opens it."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.switch_page("pages/addition.py")
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def answer(app: AppTest) -> str:
    """The network's answer, as a screen reader says it."""
    assert not app.exception
    (html,) = [element.value for element in app.html if 'role="status"' in element.value]
    return html.split('aria-label="')[1].split('"')[0]


def text(app: AppTest) -> str:
    return "\n".join(element.value for element in app.markdown)


def greyed(app: AppTest) -> bool:
    return any("opacity" in element.value for element in app.html)


def values(app: AppTest) -> tuple[str, str]:
    return app.text_input(key="a").value, app.text_input(key="b").value


def test_the_page_opens_with_a_sum() -> None:
    app = opened()
    assert answer(app) == "The network says 101100, 44: right"
    assert "= 13  ·  5 bits" in text(app)
    assert "the longest travels 2 places" in text(app)
    assert not greyed(app)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"a": "00110", "b": "01"}, "The network says 000111, 7: right"),
        ({"a": "13", "b": "1", "notation": "decimal"}, "The network says 01110, 14: right"),
        (
            {"a": "11111111", "b": "1", "addition_model": "addition-mse-h2"},
            "The network says 000000000, 0: wrong at bit 8",
        ),
        (
            {"a": ALL_ONES, "b": ALL_ONES, "addition_model": "addition-mse-h5"},
            f"The network says {ALL_ONES}0, 36,893,488,147,419,103,230: right",
        ),
    ],
)
def test_a_link_opens_its_sum(query: dict[str, str], expected: str) -> None:
    assert answer(opened(**query)) == expected


@pytest.mark.parametrize("name", names("addition"))
def test_every_network_adds(name: str) -> None:
    app = opened(addition_model=name, a="00110", b="01011")
    assert answer(app) == "The network says 010001, 17: right"


def test_a_wrong_sum_names_the_true_one() -> None:
    app = opened(a="11111111", b="1", addition_model="addition-mse-h2")
    assert ":red[:material/cancel: wrong at bit 8, the sum is 256]" in text(app)
    assert "the network goes wrong on the way, at bit 8" in text(app)


def test_bad_input_gets_one_sentence_and_keeps_the_former_answer() -> None:
    app = opened()
    app.text_input(key="b").set_value("00110").run()
    former = answer(app)
    for bad in ("2", "", "abc", "-1", "1" * 65):
        app.text_input(key="a").set_value(bad).run()
        assert answer(app) == former
        assert greyed(app)
        assert text(app).count(":red[:material/error:") == 1
        assert values(app) == (bad, "00110")
    app.text_input(key="a").set_value("00001").run()
    assert answer(app) == "The network says 000111, 7: right"
    assert not greyed(app)


def test_nonsense_in_a_link_is_no_traceback() -> None:
    app = opened(a="💥", b="", addition_model="gpt", notation="roman", addition_tab="nothing", cell_state="perhaps")
    assert answer(app) == "The network says 101100, 44: right"
    assert greyed(app)
    assert text(app).count(":red[:material/error:") == 2
    app = opened(addition_tab="Accuracy against length", longest="1e9", addition_models="none", numbers="pi")
    assert not app.exception


def test_the_notation_rewrites_the_numbers_and_keeps_leading_zeros() -> None:
    app = opened(a="00110", b="1")
    app.segmented_control(key="notation").set_value("decimal").run()
    assert values(app) == ("6", "1")
    assert "= binary 110  ·  3 bits" in text(app)
    app.text_input(key="b").set_value("9").run()
    app.segmented_control(key="notation").set_value("binary").run()
    assert values(app) == ("00110", "1001")


def test_a_number_that_was_meant_as_a_decimal_survives_the_switch() -> None:
    app = opened(a="13", b="11")
    assert greyed(app)
    app.segmented_control(key="notation").set_value("decimal").run()
    assert values(app) == ("13", "3")
    assert answer(app) == "The network says 10000, 16: right"


@pytest.mark.parametrize("notation", ["binary", "decimal"])
def test_random_keeps_the_width(notation: str) -> None:
    app = opened(notation=notation, a="11110", b="1")
    width = max(len(addition.parse(value, {"binary": 2, "decimal": 10}[notation])) for value in values(app))
    seen = set()
    for _ in range(5):
        app.button[0].click().run()
        assert app.button[0].label == "Random"
        bits = [addition.parse(value, {"binary": 2, "decimal": 10}[notation]) for value in values(app)]
        assert max(map(len, bits)) == width
        assert "right" in answer(app) or "wrong" in answer(app)
        seen.add(values(app))
    assert len(seen) > 1


def test_a_carry_chain_fills_the_width() -> None:
    app = opened(a="10101010", b="1")
    app.button[1].click().run()
    assert values(app) == ("01111111", "00000001")
    app.segmented_control(key="notation").set_value("decimal").run()
    for _ in range(2):  # no shorter the second time
        app.button[1].click().run()
        assert values(app) == ("127", "1")
    app = opened(a="1", b="1")
    app.button[1].click().run()
    assert values(app) == ("01", "01")


@pytest.mark.parametrize("name", names("addition"))
@pytest.mark.parametrize("notation", ["binary", "decimal"])
def test_breaking_shows_a_wrong_sum_or_says_what_was_tried(name: str, notation: str) -> None:
    app = opened(addition_model=name, notation=notation)
    before = values(app)
    app.button[2].click().run()
    if "Found" in text(app):
        assert "wrong at bit" in answer(app)
        assert app.segmented_control(key="notation").value == "binary"
    else:
        assert "No error in all 1,048,576 pairs of 10 bits" in text(app)
        assert values(app) == before
    app.text_input(key="a").set_value("10").run()
    assert "pairs of 10 bits" not in text(app)  # it said so of the former sum


def test_the_cell_state_is_shown_on_demand() -> None:
    def lanes(app: AppTest) -> str:
        return app.get("bidi_component")[0].proto.json

    app = opened(cell_state="true")
    assert '"Hidden state"' in lanes(app) and '"Cell state"' in lanes(app)
    app.toggle(key="cell_state").set_value(False).run()
    assert '"Cell state"' not in lanes(app)


def test_tabs_run_only_when_opened() -> None:
    with patch.object(lengths, "accuracy_by_length", side_effect=AssertionError("computed unasked")):
        assert not opened().exception


@pytest.mark.parametrize("compare", ["this model", "all models"])
@pytest.mark.parametrize("numbers", ["random numbers", "carry chains"])
def test_the_accuracy_tab(compare: str, numbers: str) -> None:
    app = opened(
        addition_tab="Accuracy against length",
        addition_models=compare,
        numbers=numbers,
        longest="16",
        addition_model="addition-mse-h2",
    )
    assert not app.exception
    assert f"**On {numbers} of up to 16 bits" in text(app)
    (table,) = app.dataframe
    assert len(table.value) == 16 * (7 if compare == "all models" else 1)
    assert app.get("vega_lite_chart")
    if numbers == "carry chains":
        errors = table.value[(table.value["model"] == "MSE h2") & (table.value["sum_accuracy"] < 1)]
        assert errors["length"].min() == 8
    csv = app.download_button[0]
    assert csv.label == "CSV"


def test_all_models_answer_the_sum_on_the_screen() -> None:
    app = opened(addition_tab="All models on this sum", a="11111111", b="1")
    assert not app.exception
    (table,) = [body.value for body in app.markdown if body.value.startswith("| model | answer")]
    assert table.count(":green[✓] **256** right") == 5
    assert table.count(":red[✗] **0** wrong at bit 8") == 2


def test_how_it_works_shows_the_cells_equations_and_the_reports_figures() -> None:
    body = text(opened(addition_tab="How it works"))
    assert "c_t &= f_t" in body
    assert "80.9" in body
    assert "| BCE h10 | 8 |" in body
