"""The charts' specifications: what a width or a colour means."""

import pandas as pd
import pytest

from ui.charts import THICK, accuracy_lines

MODELS = ["BCE h2", "MSE h2", "MSE h5"]
TABLE = pd.DataFrame([{"model": model, "length": 1, "bit_accuracy": 1.0, "sum_accuracy": 1.0} for model in MODELS])


@pytest.mark.parametrize(
    ("chosen", "widths", "title"), [("MSE h2", [2, THICK, 2], "thick: the chosen model"), (None, [2, 2, 2], None)]
)
def test_only_the_chosen_models_lines_are_thick_and_the_legend_says_so(
    chosen: str | None, widths: list[int], title: str | None
) -> None:
    width = accuracy_lines(TABLE, 5, chosen).to_dict()["layer"][0]["encoding"]["strokeWidth"]
    assert width["scale"] == {"type": "ordinal", "domain": MODELS, "range": widths}
    assert width["title"] == title


def test_the_line_of_a_single_model_is_like_any_other() -> None:
    width = accuracy_lines(TABLE[:1], 5, "BCE h2").to_dict()["layer"][0]["encoding"]["strokeWidth"]
    assert width["scale"]["range"] == [2]
