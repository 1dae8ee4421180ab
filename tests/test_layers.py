"""The layers are one-way: low ones never import high ones, and no torch is loaded before it is needed."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import talkingface
from talkingface import registry

PACKAGE = Path(talkingface.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
MODELS = sorted(path.name for path in (PACKAGE / "models").iterdir() if (path / "__init__.py").is_file())
FACES = ("face", "face3d", "motion", "enhance")
HIGH = ("models", "data", "train", "pipelines", "evaluation", "jobs", "cli", "api", "config", "registry")
FORBIDDEN = {
    # Settings of training and evaluation are typed where they are used; those modules hold no torch.
    "config": ("models", "pipelines", "jobs", "cli", "api", "data", "media", "nn", "ops", "weights"),
    "registry": (
        "models",
        "pipelines",
        "jobs",
        "cli",
        "api",
        "data",
        "media",
        "nn",
        "ops",
        "weights",
        "config",
        "train",
    ),
    "errors": ("*",),
    "text": (*HIGH, *FACES, "media", "nn", "ops", "weights"),
    "part_files": ("*",),
    "children": ("*",),
    "console": ("*",),
    "plugins": (*HIGH, *FACES, "media", "nn", "ops", "weights"),
    "media": (*HIGH, *FACES),
    "nn": (*HIGH, *FACES),
    "ops": (*HIGH, *FACES),
    "weights": (*HIGH, *FACES),
    "motion": (*HIGH, "face", "face3d", "enhance"),
    "face": (*HIGH, "face3d", "enhance"),
    "face3d": (*HIGH, "enhance"),
    "enhance": (*HIGH, "face3d", "motion"),
    "models": ("data", "train", "pipelines", "evaluation", "jobs", "cli", "api", "config"),
    "data": ("train", "pipelines", "evaluation", "jobs", "cli", "api", "config"),
    "train": ("pipelines", "jobs", "cli", "api", "config"),
    "evaluation": ("jobs", "cli", "api", "train"),
    "pipelines": ("jobs", "cli", "api", "train", "data"),
}
NAMES_NO_MODEL = ("train", "pipelines", "evaluation", "data", "config", "jobs", "media", "nn", "weights", *FACES)
WITHOUT_TORCH = (
    "errors",
    "part_files",
    "children",
    "console",
    "plugins",
    "registry",
    "config",
    "paths",
    "text",
    "types",
)


def imports(path: Path, *, at_load: bool = False) -> Iterator[str]:
    """Dotted names that a module imports, relative ones made absolute, those for type checkers left out.

    Args:
        at_load: only what is imported when the module itself is, not what its functions import later.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parents = ("talkingface", *path.relative_to(PACKAGE).parts[:-1])
    for node in _reached(tree, at_load):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parents[: len(parents) + 1 - node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _reached(node: ast.AST, at_load: bool) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if at_load and isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield child
        yield from _reached(child, at_load)


def part(module: str) -> str:
    """The top-level part of the package that a dotted name belongs to, "" for other packages."""
    names = module.split(".")
    return names[1] if names[0] == "talkingface" and len(names) > 1 else ""


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def is_typed_settings(module: str) -> bool:
    return ".settings." in module


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_low_layers_never_import_high_ones(path: Path) -> None:
    banned = FORBIDDEN.get(layer(path), ())
    found = [name for name in imports(path) if part(name) and (part(name) in banned or banned == ("*",))]
    # What a part of the settings looks like is said where it is used, in a module of its own that holds no torch.
    assert [name for name in found if not (layer(path) in ("config", "train") and is_typed_settings(name))] == []


@pytest.mark.parametrize("model", MODELS)
def test_no_model_imports_another(model: str) -> None:
    others = tuple(f"talkingface.models.{other}." for other in MODELS if other != model)
    for path in (PACKAGE / "models" / model).rglob("*.py"):
        assert [name for name in imports(path) if name.startswith(others)] == [], path


@pytest.mark.parametrize("path", [path for path in MODULES if layer(path) in NAMES_NO_MODEL], ids=lambda p: p.stem)
def test_shared_parts_import_no_concrete_model(path: Path) -> None:
    concrete = tuple(f"talkingface.models.{model}" for model in MODELS)
    assert [name for name in imports(path) if name.startswith(concrete)] == []


@pytest.mark.parametrize("path", [path for path in MODULES if layer(path) in ("train", "pipelines", "evaluation")])
def test_the_engine_never_asks_for_the_name_of_a_model(path: Path) -> None:
    names = {name.casefold() for name in registry.models()}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            words = [word for part in ast.walk(node) if isinstance(part, ast.Constant) for word in [str(part.value)]]
            assert not names & {word.casefold() for word in words}, f"{path}, line {node.lineno}"


@pytest.mark.parametrize("path", [path for path in MODULES if layer(path) in WITHOUT_TORCH], ids=lambda p: p.stem)
def test_settings_and_names_import_no_torch(path: Path) -> None:
    heavy = {"torch", "numpy", "scipy", "PIL"}
    assert heavy.isdisjoint(name.split(".")[0] for name in imports(path, at_load=True))


@pytest.mark.parametrize(
    "code",
    [
        "import talkingface",
        "from talkingface.cli import main; main(['--help'])",
        "from talkingface.cli import main; main(['--model=FOM', '--help'])",
        "from talkingface.cli import main; main(['--print_config', '--model_params.common_params.num_kp=5'])",
        "from talkingface.cli import main; main(['--modle=FOM'])",
    ],
)
def test_quick_things_load_no_torch(code: str) -> None:
    check = "import sys; sys.exit(', '.join({'torch', 'numpy'} & sys.modules.keys()) or 0)"
    done = subprocess.run([sys.executable, "-c", f"{code}; {check}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("model", MODELS)
def test_what_animates_loads_no_library_that_few_programs_need(model: str) -> None:
    code = f"import sys, talkingface.pipelines.animate, talkingface.models.{model}.plugin"
    check = "sys.exit(', '.join({'kornia', 'librosa', 'torchvision'} & sys.modules.keys()) or 0)"
    done = subprocess.run([sys.executable, "-c", f"{code}; {check}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_are_data() -> None:
    """No pickle is executed, nothing is evaluated, no shell is started."""
    banned = (
        "eval(",
        "exec(",
        "pickle.load",
        "torch.load(",
        "yaml.load(",
        "allow_pickle=True",
        "shell=True",
        "os.system(",
    )
    for path in MODULES:
        calls = [ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        for call in calls:
            assert not call.startswith(banned[:6]), f"{path}: {call}"
            assert not any(word in call for word in ("allow_pickle=True", "shell=True")), f"{path}: {call}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {".".join(("talkingface", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in MODULES}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {
        name: {
            next((key for key in (found, found.rpartition(".")[0]) if key in names), "")
            for found in imports(path, at_load=True)
        }
        - {name, ""}
        for name, path in names.items()
    }
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle
