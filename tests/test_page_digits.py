"""The Digits page under AppTest: every input, every network, and what happens when an input is no good."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from models import belief, load, names
from training.tasks import digits, samples
from ui.digits_text import notice
from ui.drawing import Stroke, decode, encode, render

ROOT = Path(__file__).parents[1]
CODE = encode([Stroke(20, np.array([[90.0, 70.0], [200.0, 70.0], [130.0, 220.0]]))])  # a 7
SEVEN = render(decode(CODE))


@pytest.fixture(params=["MNIST", "scikit-learn"])
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same page with MNIST on the machine and without."""
    if request.param == "scikit-learn":
        monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    elif not digits.available():
        pytest.skip("MNIST is not on this machine (set RNN_LAB_DATA)")
    return request.param


def open_page(**parameters: str) -> AppTest:
    """The page as a link with these query parameters opens it."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page("pages/digits.py")
    for name, value in parameters.items():
        app.query_params[name] = value
    return run(app)


def run(app: AppTest) -> AppTest:
    app.run()
    assert not app.exception
    return app


def answer(app: AppTest) -> int:
    """The digit that is written large, or the one that a network names that sees none."""
    digit = next(item.proto.body for item in app.get("html") if 'class="digit"' in item.proto.body)
    if refused := re.search(r"Had it to name one: (\d)", texts(app)):
        assert digit.endswith("?</p>")
        return int(refused[1])
    return int(digit.removesuffix("</p>")[-1])


def texts(app: AppTest) -> str:
    """All that is written on the page."""
    return "\n".join(item.value for item in [*app.markdown, *app.caption, *app.error])


def greyed(app: AppTest) -> bool:
    return any("opacity: 0.4" in item.proto.body for item in app.get("html"))


def expected(image: np.ndarray, name: str = "digits-best") -> tuple[int, str]:
    """The answer and the sentence that the network gives for an image."""
    rows = belief(load(name), image)
    return int(rows[-1].argmax()), notice(image, rows)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_an_empty_canvas_shows_a_sample_and_says_so(source: str) -> None:
    app = open_page()
    sample = samples.sample(0)
    assert (answer(app), sample.source.split(",")[0]) == (expected(sample.image)[0], source)
    assert expected(sample.image)[1] in texts(app)
    assert f"Nothing is drawn yet, so the network reads test image 0 ({sample.source})." in texts(app)
    assert len(app.get("bidi_component")) == 2  # the canvas and the belief


def test_a_drawing_in_the_link_is_read_and_takes_precedence() -> None:
    app = open_page(drawing=CODE, sample="3")
    image = digits.prepare(SEVEN)
    assert answer(app) == expected(image)[0] == 7
    assert expected(image)[1] in texts(app)
    assert "The network reads your drawing." in texts(app)
    assert ":green" not in texts(app)  # nobody knows what a drawing was meant to be


def test_clear_brings_the_sample_back() -> None:
    app = open_page(drawing=CODE)
    clear = next(button for button in app.button if button.label == "Clear")
    clear.click()
    assert "Nothing is drawn yet" in texts(run(app))
    assert "drawing" not in app.query_params


@pytest.mark.parametrize("number", [0, 18, 1234])
def test_a_test_image_is_shown_with_the_truth(source: str, number: int) -> None:
    app = open_page(input="Test image", sample=str(number))
    sample = samples.sample(number)
    digit, sentence = expected(sample.image)
    assert answer(app) == digit
    assert sentence in texts(app)
    assert f"test image {number} ({sample.source})" in texts(app)
    assert ("right" if digit == sample.label else f"wrong, it is a {sample.label}") in texts(app)


def test_the_random_button_puts_the_number_into_the_link(source: str) -> None:
    app = open_page(input="Test image")
    seen = set()
    for _ in range(3):
        next(button for button in app.button if button.label == "Random").click()
        run(app)
        number = app.number_input("sample").value
        assert 0 <= number < samples.count()
        assert app.query_params.get("sample", "0") == str(number)
        assert answer(app) == expected(samples.sample(number).image)[0]
        seen.add(number)
    assert len(seen) > 1


def test_the_drawing_survives_a_look_at_a_test_image() -> None:
    app = open_page(drawing=CODE)
    app.segmented_control("input").set_value("Test image")
    assert "The network reads test image 0" in texts(run(app))
    app.segmented_control("input").set_value("Draw")
    assert "The network reads your drawing." in texts(run(app))
    assert answer(app) == 7


@pytest.mark.parametrize("name", names("digits"))
def test_every_model_answers_and_explains_itself(name: str) -> None:
    app = open_page(input="Test image", sample="7")
    app.selectbox("digits_model").select(name)
    run(app)
    image, card = samples.sample(7).image, load(name).card
    assert (answer(app), True) == (expected(image, name)[0], expected(image, name)[1] in texts(app))
    accuracy = f"{card['metrics']['accuracy']:.2%}".replace("%", "\N{NO-BREAK SPACE}%")
    assert f"test accuracy {accuracy}" in texts(app)
    assert ("This network does so twice" in texts(app)) == card["bidirectional"]


def test_all_models_run_only_when_their_tab_is_open() -> None:
    app = open_page(digits_tab="All models on this drawing", input="Test image", sample="18")
    table = next(item.value for item in app.markdown if item.value.startswith("| network | answer"))
    assert len(table.splitlines()) == 2 + len(names("digits"))
    image = samples.sample(18).image
    for name, row in zip(["digits-rnn", "digits-rnn-l2"], table.splitlines()[2:], strict=False):
        assert f"**{expected(image, name)[0]}** at" in row
    assert len(app.get("bidi_component")) == 2  # two timelines, no canvas
    assert "Row by row." not in texts(app)
    closed = open_page(input="Test image", sample="18")
    assert "| network | answer" not in texts(closed)
    assert "Row by row." in texts(closed)


def test_a_photo_is_read() -> None:
    app = open_page(input="Photo")
    assert "No photo is chosen yet, so the network reads test image 0" in texts(app)
    app.file_uploader[0].upload("seven.png", png(SEVEN))
    assert "The network reads your photo." in texts(run(app))
    assert answer(app) == 7
    assert not greyed(app)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"no image", "neither a PNG nor a JPEG"),
        (png(np.full((60, 60), 255, np.uint8)), "No ink was found in the photo"),
        (png(np.zeros((7200, 7200), bool)), "too large"),
    ],
)
def test_a_bad_photo_gets_one_sentence_and_nothing_drawn_is_lost(content: bytes, sentence: str) -> None:
    app = open_page(drawing=CODE)
    app.segmented_control("input").set_value("Photo")
    run(app)
    app.file_uploader[0].upload("photo.png", content)
    run(app)
    assert [sentence in error.value for error in app.error] == [True]
    assert greyed(app)
    assert answer(app) == 7  # the drawing's, which was the last that could be read
    app.segmented_control("input").set_value("Draw")
    run(app)
    assert (answer(app), greyed(app)) == (7, False)
    assert "The network reads your drawing." in texts(app)


@pytest.mark.parametrize(
    "parameters",
    [
        {"input": "nonsense"},
        {"input": "Test image", "sample": "abc"},
        {"input": "Test image", "sample": "-1"},
        {"input": "Test image", "sample": "99999999999999999999"},
        {"input": "Test image", "sample": "inf"},
        {"digits_model": "no such network"},
        {"digits_tab": "nothing"},
        {"drawing": "%%%"},
    ],
)
def test_garbage_in_the_link_leaves_a_full_screen(parameters: dict[str, str]) -> None:
    app = open_page(**parameters)
    assert answer(app) == expected(samples.sample(0).image)[0]


def test_damaged_mnist_is_told_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in digits.FILES:
        (raw / name).write_bytes(b"")
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    app = open_page()
    assert ["not whole" in error.value for error in app.error] == [True]
