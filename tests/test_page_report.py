"""The Report page: every number on it comes from the committed results."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from streamlit.testing.v1 import AppTest

from training import claims
from training.report import FOLDER, PARTS
from training.statistics import mean
from training.task import Settings
from training.tasks import TASKS, digits
from ui import picture, report
from ui.report import TRAINED, settings_link, shipped, train_query
from ui.report_charts import _dot, _sentence, dots
from ui.report_figures import FIGURES, images_figure

ROOT = Path(__file__).parents[1]
CHOICES = {
    "digits_curves": ("GRU", "test loss"),
    "confusion_figure": ("digits-gru",),
    "recall_curves": ("final", "validation accuracy"),
    "recall_lengths": ("last",),
    "addition_curves": ("lstm", "mse", "training loss"),
    "addition_lengths": ("rnn", "bce", "carry chains", "5 hidden"),
}
PART_OF = {"grid": "grid", "accuracy": "regularisation", "digits": "regularisation", "confusion": "samples"}
PART_OF |= {"recall": "recall", "index": "recall", "addition": "addition"}

CHARTS = {"grid": 1, "regularisation": 4, "samples": 1, "recall": 6, "addition": 7}
ENDINGS = [f"{name}{ending}" for name in ("rnn", "gru", "bilstm") for ending in ("", "-l2")]
MEASURED = [part for part in PARTS if (FOLDER / f"{part}.json").exists()]


def results(part: str) -> dict:
    return json.loads((FOLDER / f"{part}.json").read_text())


def rows_of(part: str) -> list[dict]:
    return results(part)["rows"]


@pytest.fixture(scope="module")
def page() -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    return app.switch_page("pages/report.py").run()


def texts(page: AppTest) -> str:
    return "\n".join(each.value for each in page.markdown)


def test_it_begins_with_all_verdicts_each_a_link_to_where_it_stands(page: AppTest) -> None:
    (glance,) = (each.value for each in page.markdown if each.value.startswith("**At a glance**"))
    lines = [line for line in glance.split("\n") if line.startswith("- ")]
    claimed = [each.value for each in page.markdown if "-badge[" in each.value and "Test: " in each.value]
    assert len(lines) == len(claimed)
    for line, claim in zip(lines, claimed, strict=True):
        badge, text, ours = re.fullmatch(r"- (:\S.*?\]) \[(.*)\]\(#\w+\)(.*)", line).groups()
        assert claim.startswith(f"{badge} **{text}.**{ours}" if ours else f"{badge} **“{text}.”**")
    assert re.findall(r"\(#(\w+)\)", glance) == re.findall(r'<span id="(\w+)"', "\n".join(claimed))


def test_the_page_opens_with_all_sections_and_figures(page: AppTest) -> None:
    assert not page.exception
    assert len(page.header) == len(PARTS)
    shown = [json.loads(each.proto.json) for each in page.get("bidi_component")]
    assert len(shown) == sum(CHARTS[part] for part in MEASURED)
    assert all(each["narrow"].startswith("<svg") and each["description"] for each in shown)
    assert len(page.info) == len(PARTS) - len(MEASURED) + (not digits.available())  # whose images can't be shown


def test_every_mean_on_the_page_is_that_of_the_results(page: AppTest) -> None:
    text = texts(page)
    for part in {"regularisation", "recall", "addition"} & set(MEASURED):
        for row in results(part)["rows"]:
            assert claims.interval(mean(row["test"])) in text


def test_every_verdict_on_the_page_is_computed(page: AppTest) -> None:
    text = texts(page)
    judged = {
        "grid": [claims.grid_choice],
        "regularisation": [claims.gru_is_best, claims.unregularised_is_better],
        "recall": [claims.recall_needs_ten, claims.final_states_recall],
        "addition": [claims.mse_beats_bce, claims.small_mse_generalises, claims.perfect_is_correct],
    }
    for part, judges in judged.items():
        if part not in MEASURED:
            continue
        for judge in judges:
            claim = judge(results(part))
            assert claim.text in text
            assert claim.because in text


def test_no_measured_number_is_typed_by_hand() -> None:
    for path in ("pages/report.py", "ui/report_text.py", "ui/report_figures.py", "ui/report.py"):
        assert not re.findall(r"\b\d\d\.\d+ ?%", (ROOT / path).read_text()), path


DRAWN = [name for name in FIGURES if PART_OF[name.split("_")[0]] in MEASURED]


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_has_its_table_and_its_pictures(name: str) -> None:
    figure = FIGURES[name](results(PART_OF[name.split("_", maxsplit=1)[0]]), *CHOICES.get(name, ()))
    assert len(figure.table.to_csv(index=False).splitlines()) == len(figure.table) + 1
    assert report._drawn(figure, "svg").startswith(b"<svg")


def test_a_picture_can_be_had_as_png() -> None:
    assert report._drawn(FIGURES["addition_figure"](results("addition")), "png").startswith(b"\x89PNG")


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_follows_the_page_into_the_dark_and_tells_its_values(name: str) -> None:
    figure = FIGURES[name](results(PART_OF[name.split("_", maxsplit=1)[0]]), *CHOICES.get(name, ()))
    narrow, wide = picture.pictures(figure.chart.to_json(), wide=True)
    for text in (narrow, wide):
        colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', text)) - {"none", "currentColor", "gray", "#888"}
        assert colours
        assert all(re.fullmatch(r"light-dark\(#\w{6}, #\w{6}\)", colour) for colour in colours), colours
    told = [text for text in re.findall(r'aria-label="([^"]*)"', narrow) if not re.search("-axis|legend", text)]
    assert len(told) >= min(6, len(figure.table))
    values = [value for row in figure.table.select_dtypes("number").to_numpy().tolist() for value in row]
    shares = {claims.percent(value, digits) for value in values for digits in (1, 2)}
    numbers = shares | {form.format(value) for value in values for form in ("{:.4f}", "{:.0f}")}
    assert all(numbers & set(re.findall(r"(?:over )?[\d.]+(?:\N{NO-BREAK SPACE}%)?", text)) for text in told)


def test_an_interval_of_shares_ends_at_1_and_less_than_1_is_told_as_claims_tell_it() -> None:
    figure = dots([("LSTM 2", "MSE", [1.0, 1.0, 0.99], 1.0), ("RNN 2", "MSE", [0.0, 0.0, 0.01], None)], "accuracy")
    assert (figure.table["high"][0], figure.table["low"][1]) == (1, 0)
    nearly = _sentence(_dot("LSTM 5", "MSE", [1.0, 0.99999], None))
    assert f"LSTM 5: {claims.percent(0.999995, 2)}, interval" in nearly


@pytest.mark.parametrize(
    "nowhere", ["translate(14,Infinity)", "translate(0,-1.7976931348623157e+308)", "translate(NaN,0)"]
)
def test_a_picture_that_came_out_without_places_is_drawn_again(monkeypatch: pytest.MonkeyPatch, nowhere: str) -> None:
    chart = FIGURES["grid_figure"](results("grid")).chart.to_json()
    whole, drawn = picture.pictures(chart, wide=False), vl_convert.vegalite_to_svg
    broken = iter([f'<svg><g transform="{nowhere}"></g></svg>'])
    monkeypatch.setattr("vl_convert.vegalite_to_svg", lambda chart: next(broken, None) or drawn(chart))
    assert picture.pictures(chart, wide=False) == whole


@pytest.mark.parametrize("model", ["digits-gru", "digits-best"])
def test_the_confusion_matrixs_colours_stand_for_whole_numbers_of_images(model: str) -> None:
    chart = FIGURES["confusion_figure"](results("samples"), model).chart
    narrow, _ = picture.pictures(chart.to_json(), wide=False)
    (edges,) = re.findall(r"legend titled 'images' for fill color with 9 boundaries: ([\d, ]*)", narrow)
    assert len(set(edges.split(", "))) == 9


def test_the_confusion_matrix_has_the_number_of_every_mistake_and_nothing_where_there_is_none() -> None:
    (found,) = (each for each in results("samples")["models"] if each["model"] == "digits-gru")
    figure = FIGURES["confusion_figure"](results("samples"), "digits-gru")
    narrow, _ = picture.pictures(figure.chart.to_json(), wide=False)
    (cells,) = re.findall(r'mark-rect role-mark layer_0_marks".*?</g>', narrow)
    counts = [n for a, line in enumerate(found["confusion"]) for b, n in enumerate(line) if a != b and n]
    assert cells.count("<path") == len(counts)
    shown = re.findall(r'mark-text role-mark layer_[12]_marks".*?</g>', narrow)
    assert sorted(int(n) for text in shown for n in re.findall(r">(\d+)</text>", text)) == sorted(counts)


LINKS = {
    "an adder of the report": settings_link("", replace(TASKS["addition"].defaults, hidden_size=5, loss="mse"), 64),
    "an adder that is not shipped": settings_link("", replace(TASKS["addition"].defaults, cell="rnn"), 64),
    "a regularised reader": settings_link("", TRAINED["digits-gru-l2"]),
    "an index": settings_link("", TRAINED["recall-i9-h10"], 16, index="9", sequence="1565211978"),
}


@pytest.mark.parametrize("name", LINKS)
def test_a_figures_link_opens_what_it_shows(name: str) -> None:
    link = LINKS[name]
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page(f"pages/{link.task}.py")
    for parameter, value in link.query.items():
        app.query_params[parameter] = value
    app.run()
    assert not app.exception
    assert link.query[f"{link.task}_tab"] == "Train"
    for parameter, value in link.query.items():
        found = app.session_state[parameter]
        assert found == value or report._in_address(found) == value, parameter


def test_a_link_names_the_shipped_model_that_was_trained_so() -> None:
    assert {name: shipped(settings) for name, settings in TRAINED.items()} == {name: name for name in TRAINED}
    assert shipped(replace(TRAINED["digits-gru"], seed=7)) == "digits-gru"
    assert shipped(replace(TASKS["addition"].defaults, cell="rnn", hidden_size=2)) is None, "that one is set by hand"
    trained = {shipped(Settings.of(row["settings"])) for part in ("regularisation", "recall") for row in rows_of(part)}
    assert trained == {*(f"digits-{each}" for each in ENDINGS), *(f"recall-i1-h{each}" for each in (2, 5, 10)), None}


def test_a_link_shows_more_only_of_a_shipped_model() -> None:
    plain = {"recall_tab": "Train"}
    assert train_query(TASKS["recall"].defaults) == plain
    shown = settings_link("", TASKS["recall"].defaults, recall_tab="Accuracy against length")
    assert shown.query == {"recall_tab": "Accuracy against length", "recall_model": "recall-i1-h10"}
    other = settings_link("", replace(TASKS["recall"].defaults, hidden_size=3), recall_tab="Accuracy against length")
    assert other.query == plain | {"train_recall_hidden_size": "3"}


def test_sample_images_can_be_had_as_pictures() -> None:
    rows, images = [[7, 4, 9, 0.8], [12, 3, 3, 0.9]], [np.eye(28, dtype=np.float32)] * 2
    sheet = images_figure(rows, images)
    svg = report._drawn(sheet, "svg").decode()
    assert "9, not 4" in svg
    assert svg.count("<image") == 2
    assert report._drawn(sheet, "png").startswith(b"\x89PNG")
    assert sheet.table.to_csv(index=False).splitlines()[1] == "7,4,9,0.8"


def test_where_mnist_is_missing_the_page_says_how_it_comes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RNN_LAB_DATA", str(tmp_path))
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/report.py").run()
    assert not app.exception
    assert "when someone opens the tab Train of the page Digits" in app.info[0].value
    assert not list(tmp_path.iterdir()), "nothing is fetched by looking at the report"


def test_results_that_are_missing_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    (tmp_path / "grid.json").write_text("{cut off")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/report.py").run()
    assert not app.exception
    assert len(app.info) == len(PARTS)
    assert "python -m training report --only grid" in app.info[0].value
