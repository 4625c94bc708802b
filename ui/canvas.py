"""The drawing panel: streamlit-drawable-canvas with its strip of tools, a brush, and a memory."""

import io
from functools import cache

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw
from streamlit_drawable_canvas import st_canvas

from ui.drawing import SIDE, STRIP, Stroke, decode, encode, from_canvas, render, to_canvas

THINNEST, THICKEST, BRUSH = 8, 32, 20  # pixels
PARAMETER = "drawing"  # in the page's address


def canvas(key: str) -> np.ndarray | None:
    """A square to draw in with mouse, pen or finger, its brush, and a button that clears it.

    Returns the drawing as pixels (280, 280) uint8, black ink on white paper, or None while there is none. The drawing
    stays through reruns and visits to other pages, and stands in the page's address.
    """
    kept, version, problem = f"{key}_strokes", f"{key}_version", f"{key}_problem"
    if kept not in st.session_state:
        st.session_state[kept], st.session_state[problem] = _from_address()
        st.session_state[version] = 0
    strokes = _draw(key, kept, f"{key}_canvas_{st.session_state[version]}")
    if st.session_state[problem] and not strokes:
        st.error(st.session_state[problem])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        # The slider stands below the canvas, which needs its value: the state has it before the widget is drawn.
        st.slider("Brush width", THINNEST, THICKEST, BRUSH, key=f"{key}_brush", persist_state="session", width=170)
        st.button("Clear", icon=":material/delete:", on_click=_clear, args=(kept, version), disabled=not strokes)
    return render(strokes) if strokes else None


def _draw(key: str, kept: str, canvas_key: str) -> list[Stroke]:
    """The canvas itself; returns its strokes and keeps them."""
    initial = f"{key}_initial"
    if canvas_key not in st.session_state:
        # The canvas is new here: after a visit to another page, a click on Clear, or with a link. From now on its first
        # drawing must stay as it is, because the canvas starts anew whenever that changes.
        st.session_state[initial] = to_canvas(st.session_state[kept])
    result = st_canvas(
        stroke_width=st.session_state.get(f"{key}_brush", BRUSH),
        stroke_color="#000000",
        background_image=_paper(),
        initial_drawing=st.session_state[initial],
        width=SIDE,
        height=SIDE + STRIP,
        key=canvas_key,
    )
    strokes = from_canvas(result.json_data or st.session_state[initial])
    st.session_state[kept] = strokes
    _to_address(strokes)
    return strokes


def _clear(kept: str, version: str) -> None:
    st.session_state[kept] = []
    st.session_state[version] += 1


def _from_address() -> tuple[list[Stroke], str]:
    """The drawing that the address carries, and what is wrong with it, in one sentence or none."""
    try:
        return decode(st.query_params.get(PARAMETER, "")), ""
    except ValueError as error:
        return [], str(error)


def _to_address(strokes: list[Stroke]) -> None:
    """Mirror the drawing in the address; by hand, because a custom component can't be bound to a query parameter."""
    code = encode(strokes)
    if code != st.query_params.get(PARAMETER, ""):
        if code:
            st.query_params[PARAMETER] = code
        else:
            st.query_params.pop(PARAMETER, None)


@cache
def _paper() -> bytes:
    """White paper under a grey strip: the canvas shows its own tools there, and ink in it does not count."""
    image = Image.new("RGB", (SIDE, SIDE + STRIP), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, SIDE, STRIP - 1), fill="#dfe4ec")
    draw.text((10, 11), "Point here, or tap, for undo and more", fill="#4a5568", font_size=12)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
