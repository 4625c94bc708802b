"""The tab Train, the same for every task: settings, a run in the background, its curves, and the network it leaves."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd
import streamlit as st

from models import Network, WeightsError, load
from models.store import card
from training import estimate, runs
from training.fit import Progress
from training.options import change, options, value
from training.pretrain import recipes, report_figure
from training.runs import ENDED, RESUMABLE, Run, RunError
from training.seeds import MOST_SEEDS, check_seeds, is_small
from training.task import DataError, Option, Settings, Task
from training.tasks import TASKS
from ui import frame
from ui.background import ACTIVE, announce, engine, engine_state, follow, is_undone, standing
from ui.charts import learning_curves
from ui.seeds import show_seeds
from ui.words import duration, in_words, metric_in_words

# What a newcomer changes first; the task's own settings follow, and all the others stand under "More settings".
FIRST = (
    "cell",
    "bidirectional",
    "num_layers",
    "hidden_size",
    "loss",
    "learning_rate",
    "weight_decay",
    "epochs",
    "batch_size",
    "seed",
)
SEEDS = Option(
    "seeds",
    "how many networks are trained at once, from as many random starts: one run says little about a setting",
    1,
    MOST_SEEDS,
)
SLIDER_UP_TO = 512  # beyond, a slider can't be set to one number
MOST_UNITS_OF_SMALL = 64  # on the slider of a small task
# Where the sliders of numbers with a fraction end; the other such numbers span powers of ten, and are typed.
FRACTION_SLIDERS = {"state_noise": 1.0, "gradient_clipping": 10.0, "forget_bias": 10.0}
POINTS = 300  # of a curve, at most: more can't be told apart on a screen
STATES = {
    "queued": "waits for its turn",
    "running": "is training",
    "paused": "is paused",
    "stopped": "was stopped",
    "finished": "is trained",
    "failed": "has failed",
    "interrupted": "was interrupted",
    "deleted": "was deleted",
}

KEPT = {
    "last": "This is the network after the last step.",
    "best": "This is the network that was best on the validation data.",
}

Watch = Callable[[Settings, Network, str], None]


def train_panel(name: str, watch: Watch | None = None, **defaults: Any) -> None:
    """Settings of the task `name`, the button that starts a run, and the run that one looks at.

    `watch` shows what the network of a run makes of a few examples, the best so far while it trains; it gets what to
    call that network, too. `defaults` are settings to begin with in place of the report's.
    """
    task = TASKS[name]
    settings, seeds = _settings(task, change(task.defaults, defaults))
    if settings is not None:
        _start_button(settings, seeds)
    run = _chosen_run(task)
    if run is not None:
        active = engine_state(run) in ACTIVE
        if active:
            follow(run)  # after the page was loaded anew, too
            announce()
        st.fragment(run_every="1s" if active else None)(_show_run)(run, watch, active)


def _settings(task: Task, defaults: Settings) -> tuple[Settings | None, int]:
    """What all the widgets say, and how many seeds; None, with a sentence that says why, for what can't be trained."""
    presets = _presets(task.name)
    st.menu_button(
        "Presets",
        ["the report's defaults", *presets],
        key=_key(task, "preset"),
        icon=":material/tune:",
        on_click=_apply_preset,
        args=(task, presets, defaults),
        help="The settings and the random seed of each shipped model that was trained, one click each. On another kind "
        "of processor the same seed may lead to another network.",
    )
    every = {option.name: option for option in options(task)}
    first = [every.pop(option) for option in (*FIRST, *(option.name for option in task.options))]
    values: dict[str, Any] = {}
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        for option in first:
            values[option.name] = _widget(task, option, value(defaults, option), disabled=option.is_idle(values))
        seeds = _widget(task, SEEDS, 1) if is_small(task) else 1
    with st.expander("More settings"), st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        for option in every.values():
            values[option.name] = _widget(task, option, value(defaults, option), disabled=option.is_idle(values))
    try:
        settings = change(defaults, values)
        check_seeds(settings, seeds)
        estimate.check_size(settings, seeds)
    except ValueError as error:
        st.error(str(error))
        return None, seeds
    return settings, seeds


def _key(task: Task, option: str) -> str:
    """The key of a widget, which is also its name in the page's address."""
    return f"train_{task.name}_{option}"


@cache
def _presets(task: str) -> dict[str, Settings]:
    """The settings of the task's shipped models, but for weights that were set by hand: no settings lead to those.

    Of several seeds it is the one whose network was kept. Kept for good: to read all the cards takes a while.
    """
    trained = (each for each in recipes().values() if each.by_hand is None and each.settings.task == task)
    return {each.name: replace(each.settings, seed=card(each.name)["seed"]) for each in trained}


def _apply_preset(task: Task, presets: dict[str, Settings], defaults: Settings) -> None:
    settings = presets.get(st.session_state[_key(task, "preset")], defaults)
    for option in options(task):
        st.session_state[_key(task, option.name)] = value(settings, option)
    st.session_state[_key(task, SEEDS.name)] = 1


def _widget(task: Task, option: Option, default: Any, disabled: bool = False) -> Any:
    """The widget that suits the option; nothing is drawn where there is only one choice."""
    key, label = _key(task, option.name), in_words(option.name).capitalize()
    common = {"key": key, "bind": "query-params", "help": _explained(option), "disabled": disabled}
    if option.choices:
        if len(option.choices) == 1:
            return default
        return frame.choice(label, option.choices, default=default, key=key, format_func=in_words, help=common["help"])
    if option.low is None:
        return st.toggle(label, default, **common)
    kind, end = type(default), _slider_end(task, option)
    if end and not _goes_beyond(key, end):
        step = 1 if kind is int else end / 100
        return st.slider(label, kind(option.low), kind(end), default, step, width=170, **common)
    common["bind"] = frame.bound(key)
    looks = {} if kind is int else {"format": "%g", "step": 10 ** _magnitude(default)}
    width = max(140, 9 * len(label))  # room for the label in one line
    return st.number_input(label, kind(option.low), kind(option.high), default, width=width, **looks, **common)


def _explained(option: Option) -> str:
    """What the option does, as a sentence that calls its choices what its widget calls them."""
    text = option.help
    for choice in option.choices:
        text = text.replace(f"{choice}: ", f"{in_words(choice)}: ")
    return f"{text[0].upper()}{text[1:]}."


def _slider_end(task: Task, option: Option) -> float | None:
    """Where the option's slider ends, which may be below the largest value that can be trained; None for no slider."""
    if isinstance(option.low, float):
        return FRACTION_SLIDERS.get(option.name)
    if option.name == "hidden_size" and is_small(task):
        return MOST_UNITS_OF_SMALL
    return option.high if option.high <= SLIDER_UP_TO else None


def _goes_beyond(key: str, end: float) -> bool:
    """Whether a preset or a link brought a value beyond the slider's end, which then is shown in a field to type in.

    It stays that field for as long as the session: another widget would forget the value that was typed.
    """
    given = str(st.session_state.get(key, st.query_params.get(key, "")))
    beyond = re.fullmatch(r"[0-9]+(\.[0-9]*)?", given) is not None and float(given) > end
    st.session_state[f"{key}_beyond"] = beyond or st.session_state.get(f"{key}_beyond", False)
    return st.session_state[f"{key}_beyond"]


def _magnitude(number: float) -> int:
    """The power of ten below the number: what one click adds."""
    return int(f"{number or 0.001:e}".partition("e")[2])


def _start_button(settings: Settings, seeds: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        key = f"train_{settings.task}_start"
        st.button("Train", icon=":material/play_arrow:", on_click=_start, args=(settings, seeds), key=key)
        st.markdown(
            f"{f'**{seeds}** networks of ' if seeds > 1 else ''}**{estimate.num_parameters(settings):,}** parameters, "
            f"about **{duration(estimate.seconds(settings, seeds))}** on one core of this machine",
            width="content",
        )
    if error := st.session_state.pop("train_error", None):
        st.error(error)


def _start(settings: Settings, seeds: int) -> None:
    """Start a new run, and look at it."""
    try:
        run = runs.create(settings, seeds=seeds)
    except RunError as error:
        st.session_state["train_error"] = str(error)
        return
    if not _submit(run):
        run.delete()
        return
    key = _run_key(settings.task)
    st.session_state[f"{key}_started"] = run.id, st.session_state.get(key), time.monotonic()
    st.session_state[key] = run.id


def _submit(run: Run) -> bool:
    """Give a new run, or one to be resumed, to the engine; with a sentence on the page where it refuses."""
    submitted = _attempt(engine().submit, run)
    if submitted:
        follow(run)
    return submitted


def _attempt(action: Callable[[Run], None], run: Run) -> bool:
    """Do it, or have the page say in one sentence why not."""
    try:
        action(run)
    except (RunError, OSError) as error:
        st.session_state["train_error"] = str(error)
        return False
    return True


def _run_key(task: str) -> str:
    return f"{task}_run"


def _keep_started(key: str, every: dict[str, Run]) -> None:
    """Choose the run just started again, where the former one, or none, is back at once."""
    started, former, when = st.session_state.get(f"{key}_started", (None, None, 0.0))
    if started in every and is_undone(key, former, when):
        st.session_state[key] = started


def _chosen_run(task: Task) -> Run | None:
    """The run of this task that one looks at: the one just started, or any other on this machine."""
    every = {run.id: run for run in runs.all_runs(task.name)}
    _keep_started(_run_key(task.name), every)
    chosen = st.selectbox(
        "Run",
        list(every),
        index=None,
        format_func=_labels(every).get,
        key=_run_key(task.name),
        bind="query-params",
        placeholder="Look at a run" if every else "There are no runs yet",
        width=320,
        help="Runs go on in the background, whatever page one looks at. All who use this server see all runs.",
    )
    return every.get(chosen)


def _labels(every: dict[str, Run]) -> dict[str, str]:
    """What the runs are called, by their ids, which stand behind names that several have: so runs of old may have."""
    count = Counter(run.name for run in every.values())
    return {run.id: run.name if count[run.name] == 1 else f"{run.name} ({run.id})" for run in every.values()}


def _show_run(run: Run, watch: Watch | None, active: bool) -> None:
    """A run as it stands; polled while it is `active`."""
    state = engine_state(run)
    if active and state not in ACTIVE:
        st.rerun()  # no more polling, and the page takes the new network
    if state == "deleted":
        st.markdown("This run was deleted.")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width=420):
            _show_standing(run, state)
        _buttons(run, state)
    if message := engine().message(run):
        st.error(message)
    if len(run.seeds) > 1:
        show_seeds(run)
    elif curves := _progress(run):
        _show_curves(run, curves)
    if watch and (run.weights.exists() or run.best.exists()):
        _watch(run, watch)


def _show_standing(run: Run, state: str) -> None:
    if state in ACTIVE:
        done, phrase = standing(run)
        st.progress(done, f"**{run.name}** {STATES[state]}: {phrase}")
        return
    result = _test_result(run) if state in ENDED and run.weights.exists() else ""
    st.markdown(f"**{run.name}** {STATES[state]}{_reached(run)}. {result}")


def _reached(run: Run) -> str:
    """Where training stands that has not gone to its end; empty before its first progress, too."""
    curves = run.progress()
    if not curves or curves[-1].step == curves[-1].steps:
        return ""
    return f" in epoch {curves[-1].epoch} of {run.settings.epochs}"


def _test_result(run: Run) -> str:
    """What the run's network is worth on the test data, as its card says."""
    try:
        about = load(run.weights).card
    except WeightsError as error:
        return str(error)
    shares = [f"{metric_in_words(name)} **{share:.2%}**" for name, share in about["metrics"].items() if name != "loss"]
    kept = KEPT.get(about.get("kept"), "") if len(run.seeds) == 1 else ""
    return f"On the test data: {', '.join(shares)}. {kept}"


def _buttons(run: Run, state: str) -> None:
    """What can be done with a run in this state."""
    if state in ACTIVE and st.button("Pause", icon=":material/pause:", key="run_pause"):
        _attempt(engine().pause, run)
        st.rerun()
    if state in RESUMABLE and st.button("Resume", icon=":material/play_arrow:", key="run_resume"):
        _submit(run)
        st.rerun()
    if state in (*ACTIVE, *RESUMABLE) and st.button(
        "Stop", icon=":material/stop:", key="run_stop", help="End it here, and keep the best network so far"
    ):
        if _attempt(engine().stop, run):
            follow(run)
        st.rerun()
    if state not in ACTIVE:
        _delete_button(run)


def _delete_button(run: Run) -> None:
    """Deletes the run, once that is confirmed."""
    with st.popover("Delete", icon=":material/delete:"):
        st.markdown(f"Delete {run.name} with weights and curves, for good?")
        if st.button("Delete for good", key="run_delete"):
            _attempt(engine().delete, run)
            st.rerun()


def _progress(run: Run) -> list[Progress]:
    """The run's progress up to its last, of which a long run has more than a screen can show."""
    curves = run.progress()
    return curves[:: -(len(curves) // POINTS + 1)][::-1]


def _show_curves(run: Run, curves: list[Progress]) -> None:
    """Losses and validation accuracy against the optimiser step, as in the report's figures."""
    losses = [(p.step, "training loss", p.train_loss) for p in curves]
    losses += [(p.step, "validation loss", p.validation_loss) for p in curves]
    shares = [(p.step, metric_in_words(name), share) for p in curves for name, share in p.metrics.items()]
    left, right = st.columns(2)
    left.altair_chart(learning_curves(_table(losses), "loss"), alt="Training and validation loss against the step")
    figure = report_figure(run.settings)
    right.altair_chart(
        learning_curves(_table(shares), "validation accuracy", share=True, reference=figure),
        alt="Validation accuracy against the step",
    )
    if figure is not None:
        measure = metric_in_words(next(iter(curves[-1].metrics)))
        right.caption(f"Dashed: the report's {measure} on its test data, {figure:.1%}.")


def _table(rows: list[tuple[int, str, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["step", "series", "value"])


def _watch(run: Run, watch: Watch) -> None:
    """What the run's network, or the best so far, makes of a few examples."""
    ended = run.weights.exists()
    who = "the trained network" if ended else "the best network so far"
    try:
        watch(run.settings, load(run.weights if ended else run.best), who)
    except WeightsError:
        st.caption(f"{who.capitalize()} could not be read.")
    except DataError as error:
        st.caption(str(error))
