"""The time-step table in a real browser, mounted as Streamlit mounts it: the script is called for every new data."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page

from ui import timeline
from ui.component import HERE
from ui.timeline import STATE, Timeline, heat_lanes, image_lane, rule, text_lane

pytestmark = pytest.mark.browser

COLORS = {
    "chart-sequential-colors": "#ffffff,#000080",
    "chart-diverging-colors": "#ff8000,#ffffff,#0000ff",
    "background-color": "#ffffff",
    "secondary-background-color": "#f0f0f0",
    "text-color": "#000000",
    "primary-color": "#0000ff",
}
# What Streamlit's page does: a shadow root per component, the theme as variables, a call for every render. A component
# that sent anything to the server would call setStateValue or setTriggerValue.
HARNESS = """async ([js, css, html, colors]) => {
    const url = URL.createObjectURL(new Blob([js], { type: "text/javascript" }));
    const component = (await import(url)).default;
    const roots = [];
    const refuse = () => { throw new Error("the timeline called the server"); };
    window.theme = (colors) => {
        for (const name in colors) document.body.style.setProperty(`--st-${name}`, colors[name]);
    };
    window.theme(colors);
    window.render = (i, data) => {
        if (!roots[i]) {
            const host = document.body.appendChild(document.createElement("div"));
            roots[i] = host.attachShadow({ mode: "open" });
            roots[i].innerHTML = `<div>${html}</div><style>${css}</style>`;
        }
        const actions = { setStateValue: refuse, setTriggerValue: refuse };
        const cleanup = component({ data, parentElement: roots[i], ...actions });
        (window.cleanups ??= []).push(cleanup);
    };
}"""

Show = Callable[..., Locator]


@pytest.fixture
def show(page: Page) -> Show:
    """show(timeline, place=0) draws into the given place of the page and returns the component there."""
    component = [(HERE / f"timeline.{kind}").read_text(encoding="utf-8") for kind in ("js", "css")]
    page.clock.install()
    page.set_content("<body style='margin: 16px'></body>")
    page.evaluate(HARNESS, [*component, timeline.HTML, COLORS])

    def draw(data: Timeline, place: int = 0) -> Locator:
        page.evaluate("([place, data]) => render(place, data)", [place, data.payload()])
        return page.locator(".timeline").nth(place)

    return draw


def addition(length: int = 6, **options: Any) -> Timeline:
    """A column addition with a wrong bit, a probability and two hidden units."""
    bits = [str(t % 2) for t in range(length)]
    marks = ["wrong" if t == 1 else "" for t in range(length)]
    values = np.linspace(0, 1, length)
    lanes = {
        "": [text_lane("a", bits), rule(), text_lane("network's bit", bits, marks=marks)],
        "Output": heat_lanes(["p(1)"], values[None], texts=[[f"{value:.1f}" for value in values]]),
        "State": heat_lanes(["unit 0", "unit 1"], np.stack([values, -values]), STATE),
    }
    steps = [str(t) for t in range(length)]
    return Timeline("A sum", steps, lanes, **{"direction": "left", "axis": "bit", **options})


def digit(**options: Any) -> Timeline:
    """A picture of 28 rows, and ten probabilities after each of them."""
    belief = np.random.default_rng(0).dirichlet(np.ones(10), size=28).T
    lanes = {
        "What the network sees": [image_lane("image", np.tri(28))],
        "What it believes": heat_lanes([str(digit) for digit in range(10)], belief),
    }
    rows = [str(row) for row in range(1, 29)]
    notes = [f"{belief[:, t].argmax()} is the most probable." for t in range(28)]
    options = {"direction": "down", "axis": "row", "position": "After row {} of 28", "notes": notes} | options
    return Timeline("Belief after each row", rows, lanes, **options)


def now(component: Locator) -> int:
    """The current time step, which the slider, the headers, the outline and the fading must agree on."""
    step = int(component.locator(".range").input_value())
    headers = component.locator(".step")
    assert headers.and_(component.locator("[aria-current=step]")).get_attribute("data-t") == str(step)
    faded = component.locator(".step.unread").evaluate_all("cells => cells.map((cell) => Number(cell.dataset.t))")
    assert sorted(faded) == list(range(step + 1, headers.count()))
    return step


def test_what_is_read_from_the_other_end_does_not_fade(page: Page, show: Show) -> None:
    values, known = np.array([[0.1, 0.2, 0.3]]), np.array([[False, True, True]])
    lanes = {
        "There": heat_lanes(["p"], values, known=known),
        "And back": heat_lanes(["q"], values, backwards=True),
    }
    component = show(Timeline("To and fro", list("abc"), lanes))
    component.locator("td.heat[data-t='1']").first.click()
    assert now(component) == 1
    unread = component.locator("td.heat.unread").evaluate_all("cells => cells.map(({dataset: {lane, t}}) => lane + t)")
    assert unread == ["02"]
    component.locator("td.heat[data-t='0']").first.hover()
    assert component.locator(".readout").inner_text().endswith("nothing yet")


def test_it_is_a_table_that_a_screen_reader_can_read(page: Page, show: Show) -> None:
    component = show(addition())
    table = page.get_by_role("table", name="A sum")
    assert table.get_by_role("columnheader").all_inner_texts() == ["bit", "5", "4", "3", "2", "1", "0"]
    names = table.locator("th[scope=row]").all_inner_texts()
    assert names == ["a", "network's bit", "p(1)", "unit 0", "unit 1"]
    assert component.get_by_role("slider", name="A sum: bit").get_attribute("aria-valuetext") == "Bit 5"
    assert component.locator("td.text[data-t='1']").nth(1).get_attribute("aria-label") == "1 (wrong)"
    values = component.locator("td.heat[data-t='1']").evaluate_all("cells => cells.map((cell) => cell.ariaLabel)")
    assert values == ["20.0 %", "0.200", "−0.200"]


def test_a_wrong_bit_is_marked_by_a_sign(show: Show) -> None:
    wrong = show(addition()).locator("[data-mark=wrong]")
    assert wrong.count() == 1
    assert wrong.evaluate("cell => getComputedStyle(cell, '::after').content") == '"✗"'


@pytest.mark.parametrize(
    ("direction", "earlier", "later"),
    [("right", "ArrowLeft", "ArrowRight"), ("left", "ArrowRight", "ArrowLeft"), ("down", "ArrowUp", "ArrowDown")],
)
def test_arrow_keys_move_as_the_eye_does(page: Page, show: Show, direction: str, earlier: str, later: str) -> None:
    component = show(digit() if direction == "down" else addition(28, direction=direction))
    for focus in (".scroll", ".range", ".play"):
        component.locator(focus).focus()
        steps = []
        for key in ("End", earlier, earlier, later, "Home", earlier, later, "End", later):
            page.keyboard.press(key)
            steps.append(now(component))
        assert steps == [27, 26, 25, 26, 0, 0, 1, 27, 27]


@pytest.mark.parametrize(("direction", "first_is_right"), [("right", False), ("left", True)])
def test_the_slider_and_the_outline_stand_under_the_column(
    page: Page, show: Show, direction: str, first_is_right: bool
) -> None:
    component = show(addition(direction=direction, start=0))
    headers = [component.locator(f".step[data-t='{t}']").bounding_box() for t in (0, 5)]
    assert (headers[0]["x"] > headers[1]["x"]) == first_is_right
    slider = component.locator(".range").bounding_box()
    middle = headers[0]["x"] + headers[0]["width"] / 2
    thumb = slider["x"] + slider["width"] - 9 if first_is_right else slider["x"] + 9  # 9: half its width
    assert abs(thumb - middle) < 2
    assert abs(component.locator(".cursor").bounding_box()["x"] - headers[0]["x"]) < 1


def test_a_click_on_a_header_or_a_cell_moves_there(show: Show) -> None:
    component = show(addition())
    component.locator(".step[data-t='2']").click()
    assert now(component) == 2
    component.locator("td.heat[data-t='4']").first.click()
    assert now(component) == 4


def test_pointing_at_a_cell_tells_its_value(show: Show) -> None:
    component = show(digit())
    cell = component.locator("td.heat[data-t='16']").nth(7)
    cell.hover()
    said = component.locator(".readout").inner_text()
    assert said == f"7, after row 17 of 28: {cell.get_attribute('aria-label')}"
    assert cell.get_attribute("title") == said
    component.locator("td.image[data-t='16']").hover(position={"x": 5, "y": 5})
    assert component.locator(".readout").inner_text() == "image, after row 17 of 28: pixel 1 1.00"
    component.locator(".note").hover()
    assert "Point at a cell" in component.locator(".readout").inner_text()


@pytest.mark.parametrize("direction", ["right", "left", "down"])
def test_arrow_keys_choose_the_lane_whose_value_is_told(page: Page, show: Show, direction: str) -> None:
    component = show(digit() if direction == "down" else addition(direction=direction))
    forth, back = ("ArrowRight", "ArrowLeft") if direction == "down" else ("ArrowDown", "ArrowUp")
    component.locator(".range").focus()
    names, told = component.locator(".name").all_inner_texts(), []
    for key in (forth, forth, forth, back, "Home"):
        page.keyboard.press(key)
        told.append(component.locator(".readout").inner_text())
    assert [said.split(",")[0] for said in told] == [names[0], names[1], names[2], names[1], names[1]]
    (chosen,) = component.locator("td.chosen").all()
    assert chosen.get_attribute("data-t") == "0"
    assert told[-1].endswith(f": {chosen.get_attribute('aria-label')}")
    assert told[-1] != told[-2]


def test_a_tap_tells_a_value_too(page: Page, show: Show) -> None:
    cell = show(digit()).locator("td.heat[data-t='16']").nth(7)
    tap = {"bubbles": True, "composed": True, "pointerType": "touch"}
    cell.dispatch_event("click", tap)
    cell.dispatch_event("pointerleave", tap)
    assert page.locator(".readout").inner_text().startswith("7, after row 17 of 28: ")


def test_lanes_of_one_name_are_told_apart(show: Show) -> None:
    lanes = {name: heat_lanes(["7"], np.array([[0.5, 1.0]])) for name in ("GRU", "RNN")}
    component = show(Timeline("Two networks", ["1", "2"], lanes, axis="row"))
    component.locator("td.heat[data-t='1']").nth(1).hover()
    assert component.locator(".readout").inner_text() == "RNN 7, row 2: 100.0 %"


def test_the_note_follows(show: Show) -> None:
    component = show(digit())
    component.locator(".step[data-t='3']").click()
    live = component.locator("[aria-live=polite]")
    assert live.inner_text().startswith("After row 4 of 28: ")
    assert live.inner_text().endswith(" is the most probable.")


def test_the_scrubber_stays_in_view_beside_a_chart_that_is_higher_than_the_screen(page: Page, show: Show) -> None:
    page.set_viewport_size({"width": 800, "height": 400})
    lanes = {title: heat_lanes(list("abcdefgh"), np.zeros((8, 4))) for title in ("one", "two", "three")}
    component = show(Timeline("A high one", list("1234"), lanes, axis="step"))
    assert component.bounding_box()["height"] > 500
    for name in (".range", ".play", ".note"):
        box = component.locator(name).bounding_box()
        assert 0 < box["y"] < box["y"] + box["height"] <= 400


def test_it_plays_to_the_end_and_from_there_starts_over(page: Page, show: Show) -> None:
    component = show(addition())
    page.clock.pause_at("2100-01-01")  # or it would go on by itself where the machine is slow
    play = component.get_by_role("button")
    play.click()
    assert (now(component), play.get_attribute("aria-label")) == (0, "Pause")
    steps = []
    for _ in range(7):
        page.clock.run_for(500)
        steps.append(now(component))
    assert steps == [1, 2, 3, 4, 5, 5, 5]
    assert play.get_attribute("aria-label") != "Pause"


def test_space_plays_and_whoever_moves_stops_it(page: Page, show: Show) -> None:
    component = show(addition(start=1))
    component.locator(".scroll").focus()
    for stop in (" ", "ArrowRight"):
        component.locator(".step[data-t='1']").click()
        page.keyboard.press(" ")
        page.clock.run_for(1000)
        page.keyboard.press(stop)
        stopped = now(component)
        page.clock.run_for(2000)
        assert now(component) == stopped


def test_nothing_moves_without_being_asked_to(page: Page, show: Show) -> None:
    component = show(addition(start=2))
    page.clock.run_for(5000)
    assert now(component) == 2


def test_a_group_moves_together_where_the_lengths_agree(page: Page, show: Show) -> None:
    first, second = show(addition(group="sum"), 0), show(addition(group="sum"), 1)
    other, longer = show(addition(), 2), show(addition(9, group="sum"), 3)
    first.locator(".step[data-t='2']").click()
    assert [now(component) for component in (first, second, other, longer)] == [2, 2, 5, 8]
    late = show(addition(group="sum"), 4)
    assert now(late) == 2
    second.get_by_role("button").click()
    first.locator(".step[data-t='1']").click()
    page.clock.run_for(2000)
    assert [now(first), now(second), now(late)] == [1, 1, 1]


def test_a_timeline_that_left_the_page_is_left_alone(page: Page, show: Show) -> None:
    first, second = show(addition(group="sum"), 0), show(addition(group="sum"), 1)
    page.evaluate("window.cleanups[1]()")
    first.locator(".step[data-t='2']").click()
    assert [now(first), now(second)] == [2, 5]


def test_a_cleanup_that_comes_late_does_not_close_the_newer_render(page: Page, show: Show) -> None:
    first, second = show(addition(group="sum"), 0), show(addition(group="sum"), 1)
    show(addition(group="sum"), 1)
    page.evaluate("window.cleanups[1]()")
    first.locator(".step[data-t='2']").click()
    assert now(second) == 2


def test_new_data_of_the_same_shape_keeps_the_table_and_the_step(page: Page, show: Show) -> None:
    component = show(digit())
    component.locator(".step[data-t='9']").click()
    page.evaluate("window.cell = document.querySelector('div').shadowRoot.querySelector('td.heat')")
    for _ in range(3):
        belief = heat_lanes([str(digit) for digit in range(10)], np.full((10, 28), 0.1))
        lanes = {"What the network sees": [image_lane("image", np.zeros((28, 28)))], "What it believes": belief}
        component = show(Timeline("The same rows", digit().steps, lanes, direction="down", axis="row"))
    assert now(component) == 9
    assert page.evaluate("window.cell.isConnected && window.cell.ariaLabel") == "10.0 %"
    page.keyboard.press("ArrowDown")
    assert now(component) == 10  # each listener is there once, however often it was drawn


def test_another_length_begins_anew(show: Show) -> None:
    component = show(addition())
    component.locator(".step[data-t='2']").click()
    assert now(show(addition(9))) == 8
    assert component.locator("td.text").count() == 18


def test_colours_follow_the_theme_and_texts_keep_their_contrast(page: Page, show: Show) -> None:
    component = show(addition())
    last = component.locator("td.heat[data-t='5']").first
    style = "cell => [cell.style.backgroundColor, cell.style.color]"
    assert last.evaluate(style) == ["rgb(0, 0, 128)", "rgb(255, 255, 255)"]
    page.evaluate("colors => theme(colors)", {"chart-sequential-colors": "#000000,rgb(255, 255, 0)"})
    show(addition())
    assert last.evaluate(style) == ["rgb(255, 255, 0)", "rgb(0, 0, 0)"]


def test_the_rows_of_the_picture_stand_beside_those_of_the_belief(show: Show) -> None:
    component = show(digit())
    rows = component.locator("tbody tr").evaluate_all("rows => rows.map((row) => row.getBoundingClientRect().height)")
    assert set(rows) == {10}
    box = component.locator("td.image").first.evaluate("cell => [cell.clientWidth, cell.clientHeight]")
    assert box == [280, 10]


def test_it_fits_a_phone(page: Page, show: Show) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.body.style.margin = '25px'")
    picture = show(digit())
    assert picture.bounding_box()["width"] == 340
    assert picture.bounding_box()["height"] < 400
    scroll = "box => [box.scrollWidth, box.clientWidth]"
    wide, room = picture.locator(".scroll").evaluate(scroll)
    assert wide <= room
    assert picture.locator(".step").first.evaluate("row => row.clientHeight") >= 6


def test_a_long_sum_scrolls_in_its_own_box_to_the_current_bit(page: Page, show: Show) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    component = show(addition(65))
    assert component.locator(".step").first.evaluate("column => column.offsetWidth") >= 30
    component.locator(".scroll").focus()
    for key in ("Home", "End"):
        page.keyboard.press(key)
        column = component.locator("[aria-current=step]").bounding_box()
        names = component.locator(".corner").bounding_box()
        assert names["x"] + names["width"] <= column["x"] + 1
        assert column["x"] + column["width"] <= 390
        assert names["x"] < 20  # the names stay where they are
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def seen(component: Locator, step: int) -> bool:
    """Whether the column of the time step is in view, right of the names."""
    within = """(head) => {
        const [box, scroll] = [head, head.closest(".scroll")].map((element) => element.getBoundingClientRect());
        const names = head.closest("table").querySelector(".corner").offsetWidth;
        return box.left >= scroll.left + names && box.right <= scroll.right;
    }"""
    return component.locator(f".step[data-t='{step}']").evaluate(within)


def fading(component: Locator) -> set[str]:
    """The ends of the table that fade."""
    return set(component.locator(".scroll").get_attribute("class").split()) - {"scroll"}


def test_what_is_to_be_in_view_is_until_one_moves_and_the_ends_tell_that_there_is_more(page: Page, show: Show) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    component = show(addition(30, direction="right", view=2))
    assert now(component) == 29
    assert seen(component, 2) and not seen(component, 29)
    assert fading(component) == {"more-right"}
    show(addition(30, direction="right", view=15))
    assert seen(component, 15) and fading(component) == {"more-left", "more-right"}
    component.locator(".range").press("End")
    assert seen(component, 29) and fading(component) == {"more-left"}
    show(addition(30, direction="right", view=15))
    assert seen(component, 29)


def test_nothing_fades_where_all_have_room(show: Show) -> None:
    assert fading(show(addition())) == set()


def test_upright_names_stay_within_their_columns_and_off_the_cells(show: Show) -> None:
    units = {"State": heat_lanes([str(unit) for unit in range(98, 110)], np.zeros((12, 28)), STATE)}
    component = show(Timeline("Units", [str(row) for row in range(28)], units, direction="down"))
    room = """(names) => names.map((name) => {
        const range = document.createRange();
        range.selectNodeContents(name);
        const [text, cell] = [range, name].map((each) => each.getBoundingClientRect());
        return [cell.bottom - text.bottom, text.top - cell.top];
    })"""
    for below, above in component.locator("th.name").evaluate_all(room):
        assert below >= 3 and above >= 0
