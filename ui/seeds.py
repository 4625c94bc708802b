"""A run of many seeds on the screen: the spread of their curves, not one lucky line."""

import statistics

import pandas as pd
import streamlit as st

from training.runs import Run
from training.seeds import best_seed, living
from training.stacked import StackedProgress
from ui.charts import seed_curves, seed_dots
from ui.words import metric_in_words

POINTS = 40  # of each seed's curve, at most: 64 of them are drawn


def show_seeds(run: Run) -> None:
    """Best, median and worst in a sentence, every seed's curve, and where the seeds stand now."""
    every = run.seeds_progress()
    if not every:
        return  # its first line is being written
    seeds, last = list(run.seeds), every[-1]
    st.markdown(summary(seeds, last))
    metric = next(iter(last.metrics))
    curves = every[:: -(-len(every) // POINTS)]
    curves += [last] if curves[-1] is not last else []
    left, right = st.columns(2)
    losses = _table(curves, seeds, [each.validation_loss for each in curves])
    left.altair_chart(seed_curves(losses, "validation loss"), alt="Validation loss of every seed against the step")
    shares = _table(curves, seeds, [each.metrics[metric] for each in curves])
    name = f"validation {metric_in_words(metric)}"
    right.altair_chart(seed_curves(shares, name, share=True), alt="Validation accuracy of every seed against the step")
    now = pd.DataFrame({"seed": seeds, "value": last.metrics[metric]}).dropna()
    st.altair_chart(seed_dots(now, name), alt=f"A dot for each seed at its {name} after step {last.step}")
    st.caption(f"Thin: one line for each of the {len(seeds)} seeds. Thick: their median. Below: a dot for each seed.")


def summary(seeds: list[int], progress: StackedProgress) -> str:
    """Best, median and worst of the seeds on the validation data, which is kept, and how many have diverged."""
    metric, values = next(iter(progress.metrics.items()))
    best = best_seed(progress)
    alive = living(progress)
    worst = min(alive, key=lambda number: (values[number], -progress.validation_loss[number]))
    name = metric_in_words(metric)
    text = (
        f"After step {progress.step:,} of {progress.steps:,}, validation {name}: best **{values[best]:.2%}** "
        f"(seed {seeds[best]}), median **{statistics.median(values[number] for number in alive):.2%}**, "
        f"worst **{values[worst]:.2%}** (seed {seeds[worst]}). The network kept is the best on the validation data."
    )
    lost = len(seeds) - len(alive)
    return f"{text} The loss of {lost} of the {len(seeds)} seeds is no number any more." if lost else text


def _table(curves: list[StackedProgress], seeds: list[int], values: list[list[float]]) -> pd.DataFrame:
    """A row for each seed and progress, without those that have diverged."""
    rows = [
        (each.step, seed, value)
        for each, of_seeds in zip(curves, values, strict=True)
        for seed, value in zip(seeds, of_seeds, strict=True)
    ]
    return pd.DataFrame(rows, columns=["step", "seed", "value"]).dropna()
