"""The Report page: every number on it comes from the committed results."""

import json
import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from training import claims
from training.report import FOLDER, PARTS
from training.statistics import mean
from training.task import Settings
from training.tasks import TASKS
from ui import report
from ui.report import train_query
from ui.report_figures import FIGURES

ROOT = Path(__file__).parents[1]
CHOICES = {
    "digits_curves": ("GRU", "test loss"),
    "confusion_figure": ("digits-gru",),
    "recall_curves": ("final", "validation accuracy"),
    "recall_lengths": ("last",),
    "addition_curves": ("lstm", "mse", "training loss"),
    "addition_lengths": ("rnn", "bce", "carry chains"),
}
PART_OF = {"grid": "grid", "accuracy": "regularisation", "digits": "regularisation", "confusion": "samples"}
PART_OF |= {"recall": "recall", "index": "recall", "addition": "addition"}

CHARTS = {"grid": 1, "regularisation": 4, "samples": 1, "recall": 6, "addition": 5}
MEASURED = [part for part in PARTS if (FOLDER / f"{part}.json").exists()]


def results(part: str) -> dict:
    return json.loads((FOLDER / f"{part}.json").read_text())


@pytest.fixture(scope="module")
def page() -> AppTest:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    return app.switch_page("pages/report.py").run()


def texts(page: AppTest) -> str:
    return "\n".join(each.value for each in page.markdown)


def test_the_page_opens_with_all_sections_and_figures(page: AppTest) -> None:
    assert not page.exception
    assert len(page.header) == len(PARTS)
    assert len(page.get("vega_lite_chart")) == sum(CHARTS[part] for part in MEASURED)
    assert len(page.info) == len(PARTS) - len(MEASURED)


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


@pytest.mark.parametrize("name", [name for name in FIGURES if PART_OF[name.split("_")[0]] in MEASURED])
def test_every_figure_has_its_table_and_its_pictures(name: str) -> None:
    figure = FIGURES[name](results(PART_OF[name.split("_", maxsplit=1)[0]]), *CHOICES.get(name, ()))
    spec, csv = report.specification(figure)
    assert len(csv.splitlines()) == len(figure.table) + 1
    assert report._picture(spec, "svg")().startswith(b"<svg")


def test_a_picture_can_be_had_as_png() -> None:
    spec, _ = report.specification(FIGURES["addition_figure"](results("addition")))
    assert report._picture(spec, "png")().startswith(b"\x89PNG")


def test_a_figures_link_opens_its_settings_in_the_tab_train() -> None:
    settings = Settings.of(results("addition")["rows"][0]["settings"])
    query = train_query(settings)
    assert query["addition_tab"] == "Train"
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/addition.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert app.session_state["train_addition_cell"] == settings.cell
    assert app.session_state["train_addition_hidden_size"] == settings.hidden_size
    assert train_query(TASKS["recall"].defaults) == {"recall_tab": "Train"}


def test_results_that_are_missing_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "FOLDER", tmp_path)
    (tmp_path / "grid.json").write_text("{cut off")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    app.switch_page("pages/report.py").run()
    assert not app.exception
    assert len(app.info) == len(PARTS)
    assert "python -m training report --only grid" in app.info[0].value
