import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from models import Network, belief, names
from models.occlusion import blanked
from training import runs
from training.pretrain import recipes
from training.task import DataError, Settings
from training.tasks import digits, samples
from ui import frame, photo
from ui.background import just_trained
from ui.canvas import canvas
from ui.charts import probability_bars
from ui.digits_text import (
    accuracy_table,
    comparison_table,
    drawn_accuracy,
    how_it_works,
    nickname,
    notes,
    notice,
    on_what,
    opinions,
    refused,
)
from ui.inside import Reading, Variant, inside_panel
from ui.mnist import mnist_at_hand
from ui.models import describe, model_picker, network, own
from ui.timeline import Timeline, heat_lanes, image_lane
from ui.train import train_panel
from ui.words import percent, spaced, verdict

FIRST_SAMPLE = 0  # on the screen before anything is drawn
CLASSES = [str(digit) for digit in range(digits.CLASSES)]
ROWS = [str(row) for row in range(1, digits.SIDE + 1)]
TABS = ("Look inside", "All models on this drawing", "Train", "How it works")
DEFAULT_MODEL = "digits-best"
SHIPPED = [DEFAULT_MODEL, *(name for name in recipes() if name in names("digits") and name != DEFAULT_MODEL)]
LARGEST_PHOTO = 20  # MB: more than a telephone's camera makes
FEW_ROWS = 5  # that What if takes away at once
WATCHED = 10  # validation images on which one sees a network learn

# Three columns where there is room: draw, belief, answer. On a phone one under the other: draw, answer, belief.
STYLE = """<style>
.st-key-answer .digit { margin: 0; font-size: 8.5rem; font-weight: 700; line-height: 0.85; }
.st-key-digits_draw:has(.st-key-digits_canvas) .st-key-digits_source { min-height: 3.25rem; }  /* for its tools */
.st-key-digits_canvas { min-height: 400px; }  /* a cleared canvas is a new one: what stands below must not jump */
@media (min-width: 1000px) {
  .st-key-digits_columns > :has(> .st-key-answer) { order: 1; }
  .st-key-digits_notice { min-height: 3.5rem; }
}
@media (max-width: 999px) {
  .st-key-digits_columns { row-gap: 1.5rem; }
  .st-key-digits_columns > :has(> .st-key-answer) { flex: 1 0 200px; }
  .st-key-digits_columns > :has(> .st-key-digits_belief_column) { flex: 1 0 100%; }
}
</style>"""
OPACITY = "<style>.st-key-answer, .st-key-digits_belief_column, .st-key-digits_tab_input {{ opacity: {}; }}</style>"


@dataclass(frozen=True)
class Input:
    """What the network is to read: the image (28, 28), where it comes from, and what it shows, where that is known."""

    image: np.ndarray
    sentence: str = ""
    label: int | None = None
    greyed: bool = False  # the former input, because the new one could not be read


@st.cache_data(max_entries=512, show_spinner=False)
def reading(name: str, image: np.ndarray) -> np.ndarray:
    """The model's belief (28, 10) after each row of the image."""
    return belief(network(name), image)


def numbered_image(number: int, sentence: str) -> Input:
    sample = samples.sample(number)
    return Input(sample.image, sentence.format(f"test image {number} ({sample.source})"), sample.label)


def kept(given: Input) -> Input:
    """The same input, remembered for the case that the next one is no good."""
    st.session_state["digits_former"] = given
    return given


def former(sentence: str) -> Input:
    """What the network read last, greyed, where the new input is no good."""
    last = st.session_state.get("digits_former") or numbered_image(FIRST_SAMPLE, "")
    return replace(last, sentence=sentence, greyed=True)


def pick_random() -> None:
    """Another image than the one that is shown, so that the button always shows that it works."""
    step = random.randrange(1, samples.count())
    st.session_state["sample"] = (st.session_state["sample"] + step) % samples.count()


def take_photo() -> None:
    """Keep the photo that was chosen: the uploader forgets it when it leaves the screen."""
    upload = st.session_state["digits_upload"]
    st.session_state["digits_photo"] = None if upload is None else upload.getvalue()


def drawing() -> Input:
    with st.container(key="digits_canvas"):
        pixels = canvas("digits_drawing")
    if pixels is None:
        return numbered_image(FIRST_SAMPLE, "Nothing is drawn yet, so the network reads {}.")
    return kept(Input(digits.prepare(pixels), "The network reads your drawing."))


def sample() -> Input:
    last = samples.count() - 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.number_input(
            f"Test image, 0 to {last:,}", 0, last, key="sample", bind=frame.bound("sample"), width=150
        )
        st.button("Random", icon=":material/shuffle:", on_click=pick_random, help="Take any test image")
    return kept(numbered_image(number, "The network reads {}."))


def photograph() -> Input:
    st.file_uploader(
        "A photo of one digit",
        ["png", "jpg", "jpeg"],
        key="digits_upload",
        on_change=take_photo,
        max_upload_size=LARGEST_PHOTO,
        help="It goes to the computer on which this lab runs, and is kept there only while this page is open; the link "
        "to this page does not carry it.",
    )
    content = st.session_state.get("digits_photo")
    if content is None:
        return numbered_image(FIRST_SAMPLE, "No photo is chosen yet, so the network reads {}.")
    try:
        pixels, image = prepared_photo(content)
    except photo.PhotoError as error:
        st.error(str(error))
        return former("The answer on the screen is the former one.")
    st.image(pixels, width=280, output_format="JPEG", alt="The photo you chose")
    return kept(Input(image, "The network reads your photo."))


@st.cache_data(max_entries=2, show_spinner=False, scope="session")
def prepared_photo(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The photo's pixels and what the network sees of it; raises PhotoError."""
    pixels = photo.read(content)
    image = digits.prepare(pixels)
    if not image.any():
        raise photo.PhotoError("No ink was found in the photo: write one digit, dark and thick, on plain paper.")
    return pixels, image


INPUTS = {"Draw": drawing, "Test image": sample, "Photo": photograph}


def show_answer(card: dict[str, Any], probabilities: np.ndarray, label: int | None) -> None:
    best = int(probabilities.argmax())
    if refused(card, probabilities):
        st.html('<p class="digit" role="status" aria-label="This does not look like a digit">?</p>')
        st.markdown(
            f"**This does not look like a digit.** Had it to name one: {best}, at {percent(probabilities[best])}."
        )
        return
    st.html(f'<p class="digit" role="status" aria-label="The answer is {best}">{best}</p>')
    st.markdown(f"**{percent(probabilities[best])}**", help="The probability that the network gives to its answer")
    if label is not None:
        st.markdown(verdict(best, label))


def show_belief(image: np.ndarray, rows: np.ndarray) -> None:
    with st.container(key="digits_notice"):
        st.markdown(f"**{notice(image, rows)}**")
    Timeline(
        "Belief after each row of the image",
        ROWS,
        {"What the network sees": [image_lane("image", image)], "What it believes": heat_lanes(CLASSES, rows.T)},
        direction="down",
        axis="row",
        position="After row {} of 28",
        notes=notes(rows),
        group="digits",
    ).show("digits_belief")
    st.caption("Each row on the right: the probabilities that the network would give had the image ended there.")


def show_all_models(chosen: str, image: np.ndarray, shown: int | None) -> None:
    called = {name: nickname(network(name).card) for name in SHIPPED}
    if chosen not in SHIPPED:
        called[chosen] = own(chosen)
    cards = {title: network(name).card for name, title in called.items()}
    beliefs = [reading(name, image) for name in called]
    st.markdown(comparison_table(cards, [rows[-1] for rows in beliefs], shown))
    st.caption(
        "*Test accuracy*: the share of MNIST's 10,000 test images that it reads correctly. *Lab report*: the share "
        "that the report gives."
    )
    strips = {name: heat_lanes(CLASSES, rows.T) for name, rows in zip(cards, beliefs, strict=True)}
    Timeline(
        "Belief of all networks after each row of the image",
        ROWS,
        {"What they see": [image_lane("image", image)]} | strips,
        direction="down",
        axis="row",
        position="After row {} of 28",
        notes=opinions(dict(zip(called.values(), beliefs, strict=True))),
        group="digits",
    ).show("digits_beliefs")


def without_rows(image: np.ndarray) -> dict[str, list[Variant]]:
    """The image with some of its rows blank, by which: one, a few, or all on one side of a row with ink."""
    inked = np.flatnonzero(image.max(axis=1) > 0).tolist()
    top, bottom = min(inked, default=0), max(inked, default=-1)
    spans = {
        "one row": {f"row {row + 1} blank": slice(row, row + 1) for row in inked},
        f"{FEW_ROWS} rows": {
            f"rows {row + 1} to {row + FEW_ROWS} blank": slice(row, row + FEW_ROWS)
            for row in range(top, bottom + 2 - FEW_ROWS)
        },
        "all above": {f"all above row {row + 1} blank": slice(row) for row in range(top + 1, bottom + 1)},
        "all below": {f"all below row {row + 1} blank": slice(row + 1, None) for row in range(top, bottom)},
    }
    return {
        kind: [Variant(name, x) for name, x in zip(named, blanked(image, list(named.values())), strict=True)]
        for kind, named in spans.items()
    }


def inside(name: str, image: np.ndarray, rows: np.ndarray) -> Reading:
    """What the tab Look inside shows: the rows of the image."""
    answer = int(rows[-1].argmax())
    called = "the likeliest digit" if refused(network(name).card, rows[-1]) else "the answer"
    return Reading(
        name=name,
        x=image,
        steps=ROWS,
        lanes=[image_lane("image", image)],
        axis="row",
        direction="down",
        output=answer,
        output_name=f"{called} {answer}",
        outputs=CLASSES,
        signals={"the ink in the row": image.sum(axis=1), "the ink seen so far": image.sum(axis=1).cumsum()},
        variants=lambda: without_rows(image),
        others={nickname(network(each).card): each for each in SHIPPED if not network(each).card["weight_decay"]},
        image=True,
    )


def show_how_it_works(name: str) -> None:
    cards = {describe(network(name).card): network(name).card for name in SHIPPED}
    decayed = next(card for card in cards.values() if card["weight_decay"])
    with st.container(width=760):
        st.markdown(how_it_works(network(name).card, decayed))
        st.markdown(accuracy_table(cards))


def show_predictions(settings: Settings, trained: Network, who: str) -> None:
    """A few validation images, and what a network in training makes of them."""
    images = samples.validation(settings, WATCHED)
    st.caption(f"What {who} makes of validation images, which it is not trained on:")
    with st.container(horizontal=True, gap="small"):
        for shown in images:
            answer = int(belief(trained, shown.image)[-1].argmax())
            sign = ":green[✓]" if answer == shown.label else ":red[✗]"
            with st.container(width=64, gap="xxsmall", horizontal_alignment="center"):
                st.image(1 - shown.image, width=64, alt=f"A handwritten {shown.label}")
                st.markdown(f"**{answer}** {sign}")


@st.fragment
def screen(name: str) -> None:
    with st.container(horizontal=True, gap="large", key="digits_columns"):
        draw, answer = st.container(width=284, key="digits_draw"), st.container(width=200, key="answer")
        why = st.container(key="digits_belief_column")
    with draw:
        kind = frame.choice("Input", list(INPUTS), key="input")
        source = st.container(key="digits_source")
        try:
            given = INPUTS[kind]()
        except DataError as error:
            st.error(str(error))
            return
        source.caption(given.sentence)
    st.html(OPACITY.format(0.4 if given.greyed else 1))
    rows = reading(name, given.image)
    with answer, st.container(horizontal=True, vertical_alignment="center"):
        digit, bars = st.container(width=120, gap="xsmall"), st.container(width=200)
    with digit:
        show_answer(network(name).card, rows[-1], given.label)
    with why:
        show_belief(given.image, rows)
    with bars:  # last, because a chart takes longer to make than all the rest
        st.vega_lite_chart(probability_bars(rows[-1]), alt="Probability of each digit")
    within, everything, training, how = st.tabs(TABS, default=TABS[-1], key="digits_tab", bind="query-params")
    if within.open:
        with within, st.container(key="digits_tab_input"):
            inside_panel(inside(name, given.image, rows))
    if everything.open:
        with everything, st.container(key="digits_tab_input"):
            show_all_models(name, given.image, given.label)
    if training.open:
        with training:
            at_hand = mnist_at_hand()
            train_panel("digits", watch=show_predictions, dataset="mnist" if at_hand else "sklearn")
    if how.open:
        with how:
            show_how_it_works(name)


frame.page("Digits", "✏️", "Draw a digit. The network reads it row by row.")
st.html(STYLE)
if run := just_trained("digits"):
    st.session_state["digits_model"] = run.id
with st.container(horizontal=True, vertical_alignment="bottom"):
    model = model_picker([*SHIPPED, *runs.trained("digits")], key="digits_model", default=DEFAULT_MODEL, width=240)
    card = network(model).card
    drawn = drawn_accuracy(card)
    accuracy = spaced(f"{card['metrics']['accuracy']:.2%}")
    st.markdown(
        f"{describe(card)}: test accuracy {accuracy}{on_what(card)}",
        width="content",
        help=f"The share of the test images that this network reads correctly. Data: {card['source']}. {drawn}",
    )
    frame.share_link(without=lambda: "the photo" if st.session_state.get("input") == "Photo" else "")
screen(model)
