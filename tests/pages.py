"""A page under AppTest: opened by its address, and what it says."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[1]


def opened(page: str, **query: str) -> AppTest:
    """The page with these parameters in its address; none may end in an exception."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    """All sentences on the page."""
    return "\n".join(element.value for element in [*app.markdown, *app.error, *app.caption])
