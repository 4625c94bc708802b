"""One direction: task data -> network -> fit -> run -> trace -> chart -> page. Nothing points back."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = [path for folder in ("models", "training") for path in sorted((ROOT / folder).rglob("*.py"))]
UI = sorted((ROOT / "ui").rglob("*.py"))
PAGES = [*ROOT.glob("app.py"), *sorted((ROOT / "pages").glob("*.py"))]
PRODUCT = [*CORE, *UI, *PAGES]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(tree: ast.AST) -> set[str]:
    """The modules imported anywhere below `tree`, by their dotted names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages(tree: ast.AST) -> set[str]:
    """The top-level packages imported anywhere below `tree`."""
    return {module.split(".")[0] for module in imports(tree)}


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_models_and_training_know_no_screen(path: Path) -> None:
    assert not packages(ast.parse(path.read_text())) & {"streamlit", "ui", "altair"}


def test_models_do_not_know_training() -> None:
    for path in (ROOT / "models").rglob("*.py"):
        assert "training" not in packages(ast.parse(path.read_text())), path


def test_charts_and_words_know_no_streamlit() -> None:
    for name, known in (("charts", {"ui.words"}), ("words", set())):
        tree = ast.parse((ROOT / "ui" / f"{name}.py").read_text())
        assert "streamlit" not in packages(tree)
        assert {".".join(each.split(".")[:2]) for each in imports(tree) if each.startswith("ui.")} == known


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_torchvision_is_imported_only_where_mnist_is_read(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if name_of(path) != "training/tasks/digits.py":
        assert "torchvision" not in packages(tree)
        return
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    outside = ast.Module([node for node in ast.walk(tree) if id(node) not in inside and node is not tree], [])
    assert "torchvision" not in packages(outside)


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_nothing_is_unpickled(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not packages(tree) & {"pickle", "dill", "joblib", "shelve"}
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & {"torch.load", "torch.jit.load", "pd.read_pickle"}
    assert "torch.load" not in imports(tree)
    assert not [
        keyword for keyword in ast.walk(tree) if isinstance(keyword, ast.keyword) and keyword.arg == "allow_pickle"
    ]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_the_frame_is_the_first_thing_a_page_runs(path: Path) -> None:
    definitions = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)
    body = [node for node in ast.parse(path.read_text()).body if not isinstance(node, definitions)]
    if ast.get_docstring(ast.parse(path.read_text())):
        body = body[1:]
    assert isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Call)
    assert ast.unparse(body[0].value.func) in {"page", "frame.page"}


def test_training_loads_neither_torchvision_nor_streamlit_nor_the_compiler() -> None:
    """Each takes about as long as PyTorch does, and a run in the background starts only then."""
    code = """
import sys, models
from dataclasses import replace
from training.fit import build, fit
from training.tasks import TASKS
settings = replace(TASKS["addition"].defaults.with_data(num_batches=5), epochs=1, gradient_clipping=1.0)
assert list(fit(build(settings), TASKS["addition"].load_data(settings), settings))
print(*{'torchvision', 'streamlit', 'altair', 'torch._dynamo', 'triton', 'sympy'} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
