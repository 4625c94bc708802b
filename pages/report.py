from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from models import CELLS
from training import claims, reported
from training.claims import interval, percent
from training.experiments import index_cells
from training.statistics import mean
from training.task import DataError, Settings
from training.tasks import digits, samples
from ui import frame, picture, report_text
from ui.report import (
    OURS,
    TRAINED,
    Judge,
    Link,
    Links,
    badge,
    judged,
    kept,
    measured,
    results,
    settings_link,
    show_claim,
    show_figure,
    show_more,
)
from ui.report_charts import data_url
from ui.report_figures import (
    FIGURES,
    READ,
    adder_name,
    decay_name,
    grid_name,
    images_figure,
    images_table,
    recall_name,
    units_name,
)

STACKED = ["training loss", "validation loss", "validation accuracy"]
SHOWN = 24  # misread images
BANDS = "Lines are the median seed; nine in ten seeds lie within the band."
CLAIMS: dict[str, tuple[Judge, ...]] = {  # by where they stand on the page
    "grid": (claims.grid_choice,),
    "regularisation": (claims.gru_is_best, claims.unregularised_is_better),
    "recall": (claims.recall_needs_ten, claims.final_states_recall),
    "addition": (claims.mse_beats_bce, claims.ten_is_perfect, claims.bce_needs_more),
    "longer": (claims.small_mse_generalises, claims.perfect_is_correct),
}
PARTS = {"longer": "addition"}  # of the results, where they are called otherwise
STYLE = """<style>
.st-key-report h2 { margin-top: 1.5rem; }
.images { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 0; }
.images a { display: grid; grid-template-columns: auto 1fr; gap: 0 0.4em; color: inherit; text-decoration: none; }
.images img { grid-column: 1 / -1; width: 56px; height: 56px; image-rendering: pixelated; border-radius: 4px; }
.images i { font-style: normal; }
.images .right { color: light-dark(#157a3d, #5fd38d); }
.images .wrong { color: light-dark(#b3261e, #ff9a8f); }
@media print {
  .st-key-report [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {
    display: flex !important; flex-wrap: nowrap; gap: 1rem;
  }
  .st-key-report [data-testid="stColumn"] { min-width: 0; flex: 1 1 0; }
  .st-key-menu, [data-testid="stHeader"] { display: none; }
  [data-testid="stButton"] { display: none; }
  .st-key-report :is([data-testid^="stBidiComponent"], [data-testid="stTable"], .images a) { break-inside: avoid; }
  .st-key-report h2 { break-after: avoid; }
}
</style>"""


@kept
def drawn(found: dict[str, Any], make: str, wide: bool, *choices: str) -> picture.Pictures:
    """The pictures of these results' figure that `make` names."""
    return picture.pictures(FIGURES[make](found, *choices).chart.to_json(indent=None), wide)


def figure(found: dict[str, Any], make: str, description: str, links: Links, *choices: str, wide: bool = True) -> None:
    """The figure of these results that `make` names, with what it shows on the page of its task."""
    name = "-".join([make.replace("_", "-"), *choices]).replace(" ", "-")
    show_figure(name, drawn(found, make, wide, *choices), description, partial(FIGURES[make], found, *choices), links)


def side_by_side(found: dict[str, Any], make: str, measures: list[str], links: Links, *choices: str) -> None:
    """A figure for each measure, beside each other where there is room."""
    for column, measure in zip(st.columns(len(measures)), measures, strict=True):
        with column:
            description = f"{measure} against the optimiser step".capitalize()
            figure(found, make, description, links, *choices, measure, wide=False)


def of_rows(rows: list[dict[str, Any]], name: Callable[[dict[str, Any]], str], **shown: str) -> Links:
    """A link for each of these rows of the results, with as many seeds as it has; `shown` as in `settings_link`."""
    return lambda: [
        settings_link(name(row), Settings.of(row["settings"]), len(row.get("test", [])), **shown) for row in rows
    ]


def numbers(pairs: list[tuple[str, str, str]]) -> None:
    """What the report says beside what we measured, line by line."""
    lines = ["| | the report | ours: mean [95 % interval], seeds |", "|:--|--:|--:|"]
    st.markdown("\n".join([*lines, *(f"| {name} | {report} | {ours} |" for name, report, ours in pairs)]))


def show_claims(place: str, found: dict[str, Any]) -> None:
    for judge in CLAIMS[place]:
        show_claim(judge, found)


def show_verdicts() -> None:
    """All claims of the page with their verdicts, each a link to where it stands."""
    lines = [
        f"- {badge(claim)} [{claim.text}](#{judge.__name__}){'' if claim.reported else f' {OURS}'}"
        for place, judges in CLAIMS.items()
        if (found := measured(PARTS.get(place, place))) is not None
        for judge, claim in ((judge, judged(judge, found)) for judge in judges)
    ]
    with st.container(border=True):
        st.markdown("\n".join(["**At a glance**", "", *lines]))


def explain(text: str) -> None:
    st.markdown(text, width=760)


def provenance(part: dict[str, Any]) -> None:
    libraries = ", ".join(f"{name} {number}" for name, number in part["versions"].items())
    st.caption(f"Measured by `{part['command']}` with {libraries}.")


@st.fragment
def show_grid(found: dict[str, Any]) -> None:
    chosen = [each for each in found["rows"] if each["chosen"]]
    numbers(
        [
            (
                f"{each['network']}: best",
                f"{' x '.join(map(str, reported.GRID_CHOICE[each['network']]))}, "
                f"{percent(reported.DIGITS[each['network'], 0.0])} on test data",
                f"{each['num_layers']} x {each['hidden_size']}, {interval(mean(each['test']))} on test data",
            )
            for each in chosen
        ]
    )
    show_claims("grid", found)
    figure(found, "grid_figure", "Validation accuracy of each setting of the grid", of_rows(found["rows"], grid_name))
    explain(report_text.GRID)
    provenance(found)


@st.fragment
def show_regularisation(found: dict[str, Any]) -> None:
    numbers(
        [
            (
                decay_name(each),
                percent(reported.DIGITS[each["network"], each["weight_decay"]]),
                interval(mean(each["test"])),
            )
            for each in found["rows"]
        ]
    )
    gru, unregularised = CLAIMS["regularisation"]
    show_claim(gru, found)
    if (grid := results("grid")) is not None:
        explain(report_text.at_equal_size(grid, found))
    show_claim(unregularised, found)
    links = of_rows(found["rows"], decay_name)
    figure(found, "accuracy_figure", "Test accuracy with and without weight decay", links)
    network = frame.choice("Curves of the", ["RNN", "GRU", "BiLSTM"], key="report_network")
    links = of_rows([each for each in found["rows"] if each["network"] == network], decay_name)
    side_by_side(found, "digits_curves", ["training loss", "test loss", "test accuracy"], links, network)
    st.caption(
        "Lines are means, bands their 95 % intervals. Test loss and accuracy along the way: on the first "
        f"{found['tested_images']:,} test images."
    )
    explain(f"{report_text.DIGITS} {report_text.gates(found)}")
    explain(f"{report_text.REGULARISATION} {report_text.learned_by_heart(found)}")
    provenance(found)


@st.fragment
def show_samples(found: dict[str, Any]) -> None:
    names = [each["model"] for each in found["models"]]
    model = frame.choice("Read by", names, key="report_model")
    chosen = next(each for each in found["models"] if each["model"] == model)
    st.markdown(
        f"`{model}` misreads **{len(chosen['wrong']):,}** of {chosen['count']:,} test images. First those that it was "
        "surest of, then some that it reads correctly:"
    )
    show_images(found, model, [*chosen["wrong"][:SHOWN], *chosen["right"]])
    description = f"Confusion matrix of {model}: the mistakes"
    figure(found, "confusion_figure", description, partial(of_model, model), model)
    st.caption("How many images were taken for what. The CSV has those that were read correctly, too.")
    explain(f"{report_text.SAMPLES} {report_text.mistakes(chosen)}")
    provenance(found)


def of_model(model: str) -> list[Link]:
    """A link to the settings of a shipped model; none to those of one that they alone do not lead to."""
    return [settings_link(model, TRAINED[model])] if model in TRAINED else []


def show_images(found: dict[str, Any], model: str, rows: list[list[float]]) -> None:
    """The images with these numbers, from this machine's MNIST, each with what it is and what the model said."""
    if not digits.available():
        st.info(
            "MNIST is not on this machine, so its images can't be shown. It is fetched when someone opens the tab "
            "Train of the page Digits."
        )
        st.dataframe(images_table(rows), hide_index=True)
        return
    try:
        st.html(sheet(found, model, rows))
    except DataError as error:
        st.error(str(error))
        return
    if st.button("Save", icon=":material/download:", type="tertiary", key="open_images"):
        show_more(
            f"images-{model}", f"Test images read by {model}", lambda: images_figure(rows, list(map(image_of, rows)))
        )
    st.caption(
        "The bold digit is the network's answer, the one after ✗ the right one. An image opens on the page Digits, "
        "read by this network."
    )


def image_of(row: list[float]) -> np.ndarray:
    """The image, ink = 1, that a row of the results is about."""
    return samples.sample(row[0]).image


@kept
def sheet(found: dict[str, Any], model: str, rows: list[list[float]]) -> str:
    """The images of these rows as HTML. Raises DataError where MNIST's files are not whole."""
    entries = [sheet_entry(model, row, image_of(row)) for row in rows]
    return f'<p class="images">{"".join(entries)}</p>'


def sheet_entry(model: str, row: list[float], image: np.ndarray) -> str:
    """A test image that opens on the page Digits, what this model says, and what it is where that is wrong."""
    number, true, said, _ = row
    opened = Link("", "digits", {"digits_model": model, "input": "Test image", "sample": str(number)})
    answer = f"<b>{said}</b> " + ('<i class="right">✓</i>' if said == true else f'<i class="wrong">✗ {true}</i>')
    alt = f"Test image {number}: a {true}, read as {said}"
    return f'<a href="{escape(opened.address)}" target="_blank"><img src="{data_url(image)}" alt="{alt}">{answer}</a>'


@st.fragment
def show_recall(found: dict[str, Any]) -> None:
    numbers(
        [
            (
                recall_name(each),
                percent(reported.RECALL[each["hidden_size"]]),
                interval(mean(each["test"])),
            )
            for each in found["rows"]
        ]
    )
    show_claims("recall", found)
    figure(found, "recall_figure", "Test accuracy by hidden units and read-out", of_rows(found["rows"], recall_name))
    places = {readout: text.removeprefix("read ") for readout, text in READ.items()}
    readout = frame.choice("Read", list(READ), key="report_readout", format_func=places.get)
    rows = [each for each in found["rows"] if each["readout"] == readout]
    side_by_side(found, "recall_curves", STACKED, of_rows(rows, units_name), readout)
    st.caption(BANDS)
    explain(report_text.RECALL)
    st.subheader("Longer sequences than it was trained on", anchor=False)
    links = of_rows(rows, units_name, recall_tab="Accuracy against length")
    figure(found, "recall_lengths", "Accuracy against the length of the sequence", links, readout)
    st.caption(f"BiLSTMs, {READ[readout]}. Shaded: the lengths that they were trained on. {BANDS}")
    st.markdown(f"Every index, ten hidden units, the mean of {found['index_seeds']} seeds:")
    figure(found, "index_figure", "Accuracy over index and length", of_indices(found["index_seeds"]))
    explain(report_text.LENGTHS)
    show_examples(found["examples"])
    provenance(found)


def of_indices(seeds: int) -> Links:
    """A link for each index that a network was trained for; the page asks for it, of a sequence that is long enough."""
    every = [Settings.of(cell["settings"]) for cell in index_cells(seeds)]
    shown = {"sequence": reported.SIXTEEN[-1], "recall_tab": "Accuracy against length"}
    return lambda: [
        settings_link(f"index {index}", settings, seeds, index=str(index), **shown)
        for index, settings in enumerate(every)
    ]


def show_examples(examples: list[dict[str, Any]]) -> None:
    """The report's sixteen sequences and what the shipped networks say."""
    models = list(examples[0]["said"])
    right = sum(each["said"][models[-1]] == each["truth"] for each in examples)
    st.markdown(f"The report's sixteen sequences: `{models[-1]}` names {right} of {len(examples)} digits correctly.")
    lines = [f"| sequence | true | {' | '.join(models)} |", "|:--|--:|" + "--:|" * len(models)]
    for each in examples:
        said = " | ".join(f"{n} {':green[✓]' if n == each['truth'] else ':red[✗]'}" for n in each["said"].values())
        lines.append(f"| {', '.join(each['sequence'])} | {each['truth']} | {said} |")
    with st.expander("The sixteen sequences"):
        st.markdown("\n".join(lines))


@st.fragment
def show_addition(found: dict[str, Any]) -> None:
    numbers(
        [
            (
                f"{each['cell'].upper()}, {each['hidden_size']} hidden units, {each['loss'].upper()}",
                percent(reported.ADDITION[each["hidden_size"], each["loss"]]),
                interval(mean(each["test"])),
            )
            for each in found["rows"]
        ]
    )
    st.caption("The report does not say which cell it used, so its numbers stand beside all three.")
    show_claims("addition", found)
    links = of_rows(found["rows"], adder_name)
    figure(found, "addition_figure", "Bit accuracy by cell, hidden units and loss", links)
    with st.container(horizontal=True):
        cell = frame.choice("Cell", list(reversed(CELLS)), key="report_cell", format_func=str.upper)
        loss = frame.choice("Loss", ["bce", "mse"], key="report_loss", format_func=str.upper)
    rows = [each for each in found["rows"] if (each["cell"], each["loss"]) == (cell, loss)]
    links = of_rows(rows, units_name)
    side_by_side(found, "addition_curves", [*STACKED[:2], "validation bit accuracy"], links, cell, loss)
    st.caption(BANDS)
    explain(report_text.ADDITION)
    st.markdown(report_text.adders_found(found))
    st.subheader("Longer numbers than it was trained on", anchor="longer")
    show_claims("longer", found)
    kind = frame.choice("Tested on", ["random numbers", "carry chains"], key="report_kind")
    shown = {"addition_tab": "Accuracy against length", "numbers": kind, "longest": str(found["longest"])}
    for column, row in zip(st.columns(len(rows)), rows, strict=True):
        with column:
            units, links = units_name(row), of_rows([row], units_name, **shown)
            description = f"Accuracy against length on {kind}, {units}: the median seed, and nine in ten"
            figure(found, "addition_lengths", description, links, cell, loss, kind, units, wide=False)
    trained = f"{cell.upper()} networks trained with {loss.upper()}, as chosen above"
    st.caption(f"{trained}. Dotted: the length that they were trained on. {BANDS}")
    explain(report_text.OVERFITTING)
    provenance(found)


SECTIONS = (
    ("1 · Which settings are best?", "grid", show_grid),
    ("2 · Which network reads digits best, and does regularisation help?", "regularisation", show_regularisation),
    ("3 · What do they misread?", "samples", show_samples),
    ("4 · How many hidden units does it take to recall a digit?", "recall", show_recall),
    ("5 · Which loss, and how many hidden units, does it take to add?", "addition", show_addition),
)

frame.page("Report", "🧪", "A lab report drew conclusions from one run each. Here is what happens over many.")
st.html(STYLE)
with st.container(key="report"):
    st.markdown(
        "Each conclusion of the report is put to a test on networks trained from several seeds each, by "
        "`python -m training report`. Dots are means, thick bars their 95 % intervals. Where seeds lie beyond those, "
        "thin bars reach from the worst to the best; where the report names a value, it is a hollow diamond."
    )
    frame.share_link()
    show_verdicts()
    with st.expander("How a verdict is reached"):
        explain(claims.RULE)
    for heading, part, show in SECTIONS:
        st.header(heading, anchor=part)
        if (found := results(part)) is not None:
            show(found)
