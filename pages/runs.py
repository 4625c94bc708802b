import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import streamlit as st

from models import names
from models.store import card
from training import catalogue, runs
from training.catalogue import Entry, curves_csv, differing, smoothed, upload
from training.fit import Progress
from training.pretrain import recipes
from training.runs import RESUMABLE, STATES, Run, RunError
from training.script import script
from training.task import DataError
from training.tasks import TASKS
from ui import frame
from ui.background import ACTIVE, engine, engine_state, follow, standing
from ui.charts import learning_curves
from ui.models import label, with_marks
from ui.words import cell_name, duration, escaped, in_words, metric_in_words, spaced

SHIPPED = "shipped"  # the status of the models that come with the lab
MOST_COMPARED = 8  # as many colours as can be told apart
RENAMING = "runs_renaming"  # in the session: whether the popover with the new name is open
OF_TRAINING = ("loss", "learning rate", "weight decay", "seed")  # a network set by hand has none of these
# What came of a training, in the words of the table's columns.
RESULTS = {
    "test accuracy": "{:.2%}".format,
    "whole sums": "{:.2%}".format,
    "parameters": "{:,}".format,
    "time": duration,
}
COLUMNS = {
    "test accuracy": st.column_config.NumberColumn(format="percent", help="Addition: bit accuracy"),
    "whole sums": st.column_config.NumberColumn(format="percent", help="Addition: whole-sum accuracy"),
    "time": st.column_config.NumberColumn(format="%.0f s", help="How long training took"),
    "epochs": st.column_config.NumberColumn(help="Trained so far, the last one perhaps in part"),
    "parameters": st.column_config.NumberColumn(format="localized"),
    "made": st.column_config.DatetimeColumn(format="distance"),
    "learning rate": st.column_config.NumberColumn(format="%g"),
    "weight decay": st.column_config.NumberColumn(format="%g"),
}


def entries() -> dict[str, Entry]:
    """All runs, the newest first, and then the shipped models, by their ids."""
    found = {}
    for run in runs.all_runs():
        try:
            found[run.id] = catalogue.entry(run)
        except RunError:
            continue  # deleted a moment ago
    return found | {each.id: each for each in catalogue.shipped()}


def status(entry: Entry) -> str:
    return SHIPPED if entry.id in names() else engine_state(as_run(entry.id))


def as_run(name: str) -> Run:
    return Run(runs.folder() / name)


def row(entry: Entry) -> dict[str, Any]:
    """What the table says of it."""
    settings, accuracies = entry.settings, [share for name, share in entry.metrics.items() if name != "loss"]
    return {
        "name": entry.name,
        "task": settings.task,
        "status": status(entry),
        "cell": cell_name(settings.cell, settings.bidirectional),
        "layers": settings.num_layers,
        "hidden": settings.hidden_size,
        "loss": in_words(settings.loss),
        "test accuracy": next(iter(accuracies), None),
        "whole sums": entry.metrics.get("sum_accuracy"),
        "parameters": entry.parameters,
        "time": entry.seconds,
        "epochs": entry.epochs,
        "learning rate": settings.learning_rate,
        "weight decay": settings.weight_decay,
        "seed": settings.seed,
        "made": entry.created,
    } | dict.fromkeys(OF_TRAINING if entry.by_hand else ())


def filtered(every: dict[str, Entry]) -> dict[str, Entry]:
    """Those that the filters above the table let through."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tasks = st.pills("Task", list(TASKS), selection_mode="multi", key="runs_task", bind="query-params")
        kinds = [SHIPPED, *STATES]
        wanted = st.multiselect("Status", kinds, key="runs_status", bind="query-params", width=260, placeholder="any")
        text = st.text_input("Search", key="runs_search", bind="query-params", placeholder="in all columns", width=220)
        frame.share_link()
    found = {}
    for name, entry in every.items():
        facts = row(entry)
        if (tasks and facts["task"] not in tasks) or (wanted and facts["status"] not in wanted):
            continue
        if text.lower() in " ".join(map(str, facts.values())).lower():
            found[name] = entry
    return found


def take_rows(key: str, shown: list[str]) -> None:
    """What is marked in the table is chosen, and nothing else that stands in it; of too many the first are."""
    marked = [shown[number] for number in st.session_state[key]["selection"]["rows"]]
    chosen = with_marks(st.session_state["compare"], shown, marked)
    st.session_state["compare"] = chosen[:MOST_COMPARED]
    if len(chosen) > MOST_COMPARED:
        st.session_state["runs_told"] = f"At most {MOST_COMPARED} can be compared: unmark one first."


def table_key(shown: list[str], rows: list[int]) -> str:
    """The key of the table in which these rows are to be marked.

    Marks belong to row numbers: another list of rows is another table. So is one with other marks than people made in
    it, when something was chosen elsewhere or one mark was too many: the browser takes marks when a table begins only.
    """
    number = st.session_state.setdefault("runs_tables", 0)
    key = f"runs_table_{number}_{hash(tuple(shown))}"
    if key in st.session_state and sorted(st.session_state[key]["selection"]["rows"]) != rows:
        st.session_state["runs_tables"] = number + 1
        return table_key(shown, rows)
    return key


def show_table(every: dict[str, Entry], chosen: list[Entry]) -> None:
    shown = list(every)
    table = pd.DataFrame([row(entry) for entry in every.values()])
    table["made"] = pd.to_datetime(table["made"], utc=True)
    rows = sorted(shown.index(entry.id) for entry in chosen if entry.id in shown)
    key = table_key(shown, rows)
    st.dataframe(
        table,
        hide_index=True,
        column_config=COLUMNS,
        key=key,
        on_select=lambda: take_rows(key, shown),
        selection_mode="multi-row",
        selection_default={"selection": {"rows": rows}},
        height=min(420, 38 + 35 * len(shown)),
        placeholder="",
        alt="Runs and shipped models",
    )


def pairs() -> dict[str, list[str]]:
    """The comparisons of the report's figures: each network of Digits with and without L2."""
    plain = [name for name in recipes() if f"{name}-l2" in recipes()]
    return {f"{name} with and without L2": [name, f"{name}-l2"] for name in plain}


def compare_pair(chosen: dict[str, list[str]]) -> None:
    st.session_state["compare"] = chosen[st.session_state["runs_pair"]]


def show_told() -> None:
    """What a click has led to. Drawn by the click's own callback it would take the page's style away."""
    if told := st.session_state.pop("runs_told", None):
        st.toast(told)


def choose_new() -> None:
    """What has just been uploaded is chosen, and the page says so."""
    run = st.session_state.pop("runs_new", None)
    if run is not None:
        st.session_state["compare"] = [*st.session_state.get("compare", []), run.id][-MOST_COMPARED:]
        st.toast(
            f"**{run.name}** is chosen here, and on offer on the page {run.settings.task.capitalize()}.",
            duration="long",
        )


def tell_of_link(every: dict[str, Entry]) -> None:
    """What a link asks for in vain: a name that is not on offer, or more of them than can be compared."""
    if "compare" in st.session_state:
        return
    asked = st.query_params.get_all("compare")
    missing = [name for name in asked if name not in map(label, every)]
    if missing:
        names = ", ".join(escaped(name[:80]) for name in missing[:MOST_COMPARED])
        st.toast(f"The link asks for {names}, not on offer here.", duration="long")
    if len(asked) - len(missing) > MOST_COMPARED:
        st.toast(f"The link asks for more than can be compared: these are the first {MOST_COMPARED}.", duration="long")


def choose(every: dict[str, Entry]) -> list[Entry]:
    tell_of_link(every)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Chosen: mark rows in the table, or name them here",
            list(every),
            format_func=label,
            key="compare",
            bind="query-params",
            max_selections=MOST_COMPARED,
            select_all=False,  # it would stand before a name typed in full
            placeholder="Choose one to rename, resume or download it, several to compare them",
        )
        st.menu_button(
            "The report's comparisons",
            list(pairs()),
            key="runs_pair",
            icon=":material/compare_arrows:",
            on_click=compare_pair,
            args=(pairs(),),
        )
    return [every[name] for name in chosen]


def show_actions(chosen: list[Entry]) -> None:
    """What can be done with the chosen ones."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(chosen) == 1:
            show_actions_of_one(chosen[0])
        mine = [entry for entry in chosen if status(entry) not in (SHIPPED, *ACTIVE)]
        if mine:
            with st.popover("Delete", icon=":material/delete:"):
                st.markdown(f"Delete {', '.join(entry.name for entry in mine)} with weights and curves, for good?")
                st.button("Delete for good", on_click=delete, args=(mine,), key="runs_delete")
        show_download("Curves (CSV)", curves_csv(chosen), "curves.csv")
    failed = st.session_state.get("runs_problems", {})
    for entry in chosen:
        for problem in filter(None, (entry.problem, failed.get(entry.id))):
            st.error(problem)


def show_actions_of_one(entry: Entry) -> None:
    state, run = status(entry), as_run(entry.id)
    if state in ACTIVE:
        st.button("Pause", icon=":material/pause:", on_click=attempt, args=(run, engine().pause))
    if state in RESUMABLE:
        st.button("Resume", icon=":material/play_arrow:", on_click=resume, args=(run,))
    if state in (*ACTIVE, *RESUMABLE):
        best = "End it here, and keep the best network so far"
        st.button("Stop", icon=":material/stop:", on_click=attempt, args=(run, engine().stop), help=best)
    if state != SHIPPED:
        show_rename(run, entry.name)
    if entry.weights is not None:
        about = card(entry.weights)
        file = entry.name.replace(" ", "-")
        show_download("Weights", entry.weights.read_bytes, f"{file}.safetensors")  # read when it is asked for
        show_download("Card (JSON)", json.dumps(about, indent=1), f"{file}.json")
        show_script(about, file)
        show_link(entry)


def show_rename(run: Run, name: str) -> None:
    """A field for another name, in a popover that stays open, and says why, while the one typed can't be had."""
    with st.popover("Rename", icon=":material/edit:", key=RENAMING, on_change=forget_rejected):
        with st.form("runs_rename_form", border=False):
            st.text_input("New name", name, key=f"runs_name_{run.id}", max_chars=80)
            st.form_submit_button("Rename", on_click=rename, args=(run,), key="runs_rename")
        if problem := st.session_state.get("runs_rejected"):
            st.error(problem)


def forget_rejected() -> None:
    """What was wrong with the last name typed is no news where one begins anew."""
    st.session_state.pop("runs_rejected", None)


def show_link(entry: Entry) -> None:
    """To the task's page, with this model chosen there."""
    task = entry.settings.task
    query = {f"{task}_model": entry.name}
    if "index" in entry.settings.data:  # Recall offers the models of one index at a time
        query["index"] = str(entry.settings.data["index"])
    label = f"Use on {task.capitalize()}"
    st.page_link(f"pages/{task}.py", label=label, icon=":material/open_in_new:", query_params=query)


def show_script(about: dict[str, Any], file: str) -> None:
    """The download of a script that trains this very model, where one can be had."""
    try:
        text = script(about)
    except ValueError as error:
        st.caption(str(error))
        return
    about_it = "Trains this very model, to the same test accuracy, with nothing but PyTorch and its data sets"
    show_download("PyTorch script", text, f"{file}.py", help=about_it)


def show_download(what: str, content: bytes | str | Callable[[], bytes], file: str, **looks: Any) -> None:
    st.download_button(what, content, file, icon=":material/download:", on_click="ignore", **looks)


def attempt(run: Run, action: Callable[[Run], None]) -> bool:
    """Do it, or say in one sentence why not, until the next attempt: a run in training draws the page anew and anew."""
    problems = st.session_state.setdefault("runs_problems", {})
    problems.pop(run.id, None)
    try:
        action(run)
    except (RunError, OSError) as error:
        problems[run.id] = str(error)
        return False
    return True


def resume(run: Run) -> None:
    if attempt(run, engine().submit):
        follow(run)


def rename(run: Run) -> None:
    """Give it the name that was typed, or keep the popover open with a sentence that says why not."""
    # Set anew, so that the browser learns the new name of what is chosen.
    st.session_state["compare"] = st.session_state["compare"]
    forget_rejected()
    try:
        run.rename(st.session_state[f"runs_name_{run.id}"])
    except (RunError, OSError) as error:
        st.session_state["runs_rejected"] = str(error)
        return
    st.session_state[RENAMING] = False
    st.session_state["runs_told"] = f":material/check_circle: It is called **{run.name}** now."


def delete(entries: list[Entry]) -> None:
    for entry in entries:
        if attempt(as_run(entry.id), engine().delete):
            st.session_state["compare"] = [name for name in st.session_state["compare"] if name != entry.id]


def show_differences(chosen: list[Entry]) -> None:
    """A table of what came of the chosen ones, and of the settings in which they differ."""
    differences, facts = differing(chosen), [row(entry) for entry in chosen]
    for entry in chosen:
        if entry.by_hand:
            st.caption(f"The weights of {entry.name} were set by hand: it has no settings of a training.")
    lines = ["| | " + " | ".join(entry.name for entry in chosen) + " |", "|:--|" + "--:|" * len(chosen)]
    for name, written in RESULTS.items():
        values = [each[name] for each in facts]
        if any(value is not None for value in values):
            texts = ["" if value is None else spaced(written(value)) for value in values]
            lines.append(f"| {name} | {' | '.join(texts)} |")
    for name, values in differences.items():
        lines.append(f"| {in_words(name)} | {' | '.join(map(cell, values))} |")
    settings = "the settings that differ" if differences else "no setting that differs"
    st.markdown(f"What came out, and {settings}:\n\n" + "\n".join(lines))


def cell(value: Any) -> str:
    """A setting's value in bold; nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, tuple):  # trained twice
        return ", then ".join(map(cell, value))
    return f"**{value:g}**" if isinstance(value, float) else f"**{in_words(value)}**"


def measures(chosen: list[Entry]) -> dict[str, Callable[[Progress], float]]:
    """What is drawn of each progress, by its name; the accuracy has its full name where it is the same one of all."""
    metrics = {next(iter(p.metrics)) for entry in chosen for p in entry.curves}
    accuracy = metric_in_words(metrics.pop()) if len(metrics) == 1 else "accuracy"
    return {
        "training loss": lambda p: p.train_loss,
        "validation loss": lambda p: p.validation_loss,
        f"validation {accuracy}": lambda p: next(iter(p.metrics.values())),
    }


def show_curves(chosen: list[Entry]) -> None:
    """The learning curves of the chosen ones in three charts."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        against = frame.choice("Against", ["step", "seconds"], key="against")
        amount = st.slider(
            "Smoothing",
            0.0,
            0.95,
            0.0,
            key="smoothing",
            bind="query-params",
            width=220,
            help="The share of the former values that is kept: an exponential moving average.",
        )
    for column, (measure, of) in zip(st.columns(3), measures(chosen).items(), strict=True):
        rows = [
            (getattr(p, against), entry.name, value)
            for entry in chosen
            for p, value in zip(entry.curves, smoothed(list(map(of, entry.curves)), amount), strict=True)
        ]
        table = pd.DataFrame(rows, columns=[against, "series", "value"])
        chart = learning_curves(table, measure, against, share=measure.endswith("accuracy"))
        column.altair_chart(chart, alt=f"{measure} of the chosen runs")
    for remark in remarks(chosen):
        st.caption(remark)


def remarks(chosen: list[Entry]) -> Iterator[str]:
    """What to mind about the learning curves of the chosen ones."""
    if len({(entry.settings.task, entry.settings.loss) for entry in chosen if entry.curves}) > 1:
        yield "Losses of different kinds, or of different tasks, can't be compared with each other."
    for entry in chosen:
        if entry.seeds > 1:
            yield f"{entry.name}: each curve is the median of its {entry.seeds} seeds, of which the best was kept."


def show_upload() -> None:
    with st.expander("Upload weights", icon=":material/upload:"):
        file = st.file_uploader(
            "A safetensors file that this lab has written",
            ["safetensors"],
            key="runs_upload",
            max_upload_size=catalogue.LARGEST_UPLOAD // 1024**2,
            help="It is checked and measured on the test data; then it can be chosen on its task's page.",
        )
        if file is None or st.session_state.get("runs_uploaded") == file.file_id:
            return
        try:
            with st.spinner("Measuring it on the test data ..."):
                run = upload(file.getvalue(), file.name)
        except (ValueError, DataError, RunError) as error:
            st.error(str(error))
            return
        except OSError as error:
            st.error(runs.unwritable(error))
            return
        st.session_state["runs_uploaded"] = file.file_id
        st.session_state["runs_new"] = run
        st.rerun()


def all_states() -> dict[Run, str]:
    """All runs, each with its state."""
    return {run: engine_state(run) for run in runs.all_runs()}


def in_training(states: dict[Run, str]) -> bool:
    """Whether any run trains or waits."""
    return any(state in ACTIVE for state in states.values())


def show_active(states: dict[Run, str]) -> None:
    """How far the runs are that are in training, and how many wait."""
    for run, state in states.items():
        if state == "running":
            done, phrase = standing(run)
            st.progress(done, f"**{run.name}**: {phrase}")
    waiting = list(states.values()).count("queued")
    if waiting:
        st.caption(f"{waiting} {'run waits' if waiting == 1 else 'runs wait'} for a free core.")


def screen(polled: bool) -> None:
    """All that may change while one looks. Where the first run begins or the last one ends, the page begins anew."""
    now = all_states()
    if in_training(now) != polled:
        st.rerun()
    every = entries()
    show_told()
    show_active(now)
    shown, above = filtered(every), st.container()
    chosen = choose(every)
    with above:
        if shown:
            show_table(shown, chosen)
        else:
            st.markdown("Nothing fits these filters: take one away.")
    if chosen:
        show_actions(chosen)
    if len(chosen) > 1:
        show_differences(chosen)
    if any(entry.curves for entry in chosen):
        show_curves(chosen)


frame.page("Runs", "📈", "All that was trained here, and the shipped models: compare, download, tidy up.")
if not runs.all_runs():
    st.markdown("Nothing has been trained here yet: open a task's tab *Train*. These are the shipped models.")
choose_new()
polled = in_training(all_states())
st.fragment(run_every="2s" if polled else None)(screen)(polled)
show_upload()
