"""The background of all pages: the engine that trains this server's runs, and what a session follows of it."""

import atexit
import time
from pathlib import Path
from typing import Any

import streamlit as st

from training.engine import Engine
from training.runs import ENDED, Run, RunError
from ui.words import duration

ACTIVE = ("queued", "running")
NOTICED = 2  # followed runs that have a line of their own on every page
ON_ITS_WAY = 3.0  # seconds that a request may take from the browser to the page
FOLLOWED = "followed_runs"  # in the session: the folders of the runs whose end it waits for
UNANNOUNCED = "followed_unannounced"  # in the session: whether one is followed of which the page does not tell yet


@st.cache_resource(show_spinner=False)
def engine() -> Engine:
    """The engine of this server, for all its sessions; what it trains ends with the server, and can be resumed."""
    started = Engine()
    atexit.register(started.shut_down)
    return started


def follow(run: Run) -> None:
    """Say on every page how far this run is, until it ends."""
    followed = st.session_state.setdefault(FOLLOWED, {})
    st.session_state[UNANNOUNCED] = st.session_state.get(UNANNOUNCED, False) or str(run.folder) not in followed
    followed[str(run.folder)] = run.settings.task


def announce() -> None:
    """Run the page anew where `notice` does not tell yet of a run that is followed, as when a fragment started it."""
    if st.session_state.get(UNANNOUNCED):
        st.rerun()


def notice() -> None:
    """How far this session's runs are, on every page; the page runs anew when one of them has come to rest."""
    st.session_state[UNANNOUNCED] = False
    active = [run for run in _followed() if engine_state(run) in ACTIVE]
    if active:
        _notice(active)


def just_trained(task: str) -> Run | None:
    """A run that this session followed and that has left a network of `task` since, for its page to choose it."""
    followed = st.session_state.get(FOLLOWED, {})
    for run in _followed(task):
        if engine_state(run) not in ACTIVE:
            del followed[str(run.folder)]
            if engine_state(run) in ENDED and run.weights.exists():
                st.session_state[f"{task}_trained"] = run, st.session_state.get(f"{task}_model"), time.monotonic()
                came = "is trained, and" if engine_state(run) == "finished" else "was stopped; its best network is"
                st.toast(f"**{run.name}** {came} chosen on this page.", icon=":material/check_circle:")
                return run
    return _undone(task)


def _undone(task: str) -> Run | None:
    """The run told last, where the page's model is the former one again at once."""
    run, former, told = st.session_state.get(f"{task}_trained", (None, None, 0.0))
    is_back = is_undone(f"{task}_model", former, told)
    return run if is_back and run and run.weights.exists() else None  # it may have been discarded


def is_undone(key: str, former: Any, since: float) -> bool:
    """Whether the widget `key` says what it said before the page chose, at `since`, again at once: nobody chose that.

    A poll or a click that was on its way then says what the browser showed before, and Streamlit believes it.
    Undetected, the page would go on with that, while the browser shows what the page chose.
    """
    return st.session_state.get(key) == former and time.monotonic() - since < ON_ITS_WAY


def engine_state(run: Run) -> str:
    """The run's state, or "deleted" where its folder is gone."""
    try:
        return engine().state(run)
    except RunError:
        return "deleted"


def standing(run: Run) -> tuple[float, str]:
    """How far a run is: the fraction done, and a phrase with epoch, pace and time left, or its place in the queue."""
    ahead = engine().ahead(run)
    if ahead is not None:
        return 0.0, "next in the queue" if ahead == 0 else f"queued, {ahead} ahead of it"
    curves = run.progress()
    if not curves:
        return 0.0, "loading PyTorch and the data ..."
    last, before = curves[-1], curves[-2] if len(curves) > 1 else None
    steps, seconds = (last.step - before.step, last.seconds - before.seconds) if before else (last.step, last.seconds)
    pace = steps / max(seconds, 1e-3)
    left = duration((last.steps - last.step) / pace)
    phrase = f"epoch {last.epoch} of {run.settings.epochs} · {pace:,.0f} steps/s · {left} left"
    return last.step / last.steps, "measuring on the test data ..." if last.step == last.steps else phrase


def _followed(task: str | None = None) -> list[Run]:
    followed = st.session_state.get(FOLLOWED, {})
    return [Run(Path(folder)) for folder, of in followed.items() if task in (None, of)]


@st.fragment(run_every="2s")
def _notice(active: list[Run]) -> None:
    if any(engine_state(run) not in ACTIVE for run in active):
        st.rerun()
    for run in active[:NOTICED]:
        done, phrase = standing(run)
        doing = f"is training: {done:.0%}" if engine().ahead(run) is None else "waits"
        st.caption(f":material/model_training: **{run.name}** {doing}, {phrase}")
    if len(active) > NOTICED:
        st.caption(f"and {len(active) - NOTICED} more of your runs: see the page Runs")
