#!/usr/bin/env python3
"""Draw the package as it is: a box for each part, an arrow for each import between parts, low layers below.

    python scripts/draw_architecture.py [--output docs/images/architecture.svg]

Only module texts are read, nothing is imported. Arrows that a layer has to every part below it would hide the others,
so that those to what everything imports (`errors`, `types`, `paths` and the like) are left out.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CLONE = Path(__file__).resolve().parents[1]
PACKAGE = CLONE / "talkingface"
PICTURE = CLONE / "docs" / "images" / "architecture.svg"
EVERYWHERE = ("errors", "types", "paths", "text", "part_files", "children", "console")
LAYERS = (
    ("cli", "api", "testing"),
    ("jobs",),
    ("evaluation", "train"),
    ("pipelines", "data"),
    ("config", "models", "enhance"),
    ("registry", "face3d", "motion"),
    ("face", "nn"),
    ("media", "weights", "ops", "plugins"),
    EVERYWHERE,
)
"""Parts of the package from the top down; what is in none of them is drawn in a row of its own."""

BOX, GAP, MARGIN = (170, 58), (40, 64), 30


@dataclass(frozen=True)
class Part:
    """A folder or module at the top of the package.

    Attributes:
        files, lines: how much there is of it.
        imports: other part -> modules that import it.
    """

    name: str
    files: int
    lines: int
    imports: Counter[str]


def main() -> int:
    """Draw, and print where the picture is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=PICTURE, help="an .svg file (%(default)s)")
    output: Path = parser.parse_args().output
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(drawn(read_parts()), encoding="utf-8")
    print(output)
    return 0


def read_parts(package: Path = PACKAGE) -> dict[str, Part]:
    """Read all parts of a package, by name."""
    found: dict[str, Part] = {}
    for path in sorted(package.iterdir()):
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        name = path.stem
        if path.suffix not in ("", ".py") or name.startswith("_") or not files:
            continue
        imports: Counter[str] = Counter()
        for file in files:
            imports.update(set(imported_parts(file, package)) - {name})
        found[name] = Part(name, len(files), sum(len(file.read_text("utf-8").splitlines()) for file in files), imports)
    return found


def imported_parts(file: Path, package: Path) -> Iterator[str]:
    """Names of the parts that a module imports, those for type checkers alone left out."""
    parents = (package.name, *file.relative_to(package).parts[:-1])
    for node in _executed(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = parents[: len(parents) + 1 - node.level] if node.level else ()
        names = [*base, *(node.module or "").split(".")]
        names = [name for name in names if name]
        if names[:1] != [package.name]:
            continue
        yield from names[1:2] or (alias.name for alias in node.names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield child
            yield from _executed(child)


def drawn(parts: dict[str, Part]) -> str:
    """Draw parts as the text of an SVG picture; the same parts give the same text."""
    rows = [[name for name in layer if name in parts] for layer in LAYERS]
    placed = {name for row in rows for name in row}
    rows.append([name for name in parts if name not in placed])
    rows = [row for row in rows if row]
    width = 2 * MARGIN + max(len(row) for row in rows) * (BOX[0] + GAP[0]) - GAP[0]
    height = 2 * MARGIN + len(rows) * (BOX[1] + GAP[1]) - GAP[1]
    corners = dict(_corners(rows, width))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        '<defs><marker id="tip" markerWidth="7" markerHeight="6" refX="6" refY="3" orient="auto">'
        '<path d="M0,0 L7,3 L0,6 z" fill="#52606d"/></marker></defs>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *(line for part in parts.values() for line in _arrows(part, corners)),
        *(_box(parts[name], corner) for name, corner in corners.items()),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _corners(rows: list[list[str]], width: int) -> Iterator[tuple[str, tuple[float, float]]]:
    for number, row in enumerate(rows):
        left = (width - len(row) * (BOX[0] + GAP[0]) + GAP[0]) / 2
        for place, name in enumerate(row):
            yield name, (left + place * (BOX[0] + GAP[0]), MARGIN + number * (BOX[1] + GAP[1]))


def _arrows(part: Part, corners: dict[str, tuple[float, float]]) -> Iterator[str]:
    x, y = corners[part.name]
    for other, modules in sorted(part.imports.items()):
        if other in EVERYWHERE or other not in corners:
            continue
        left, top = corners[other]
        start = x + BOX[0] / 2, y + (BOX[1] if top > y else 0 if top < y else BOX[1] / 2)
        end = left + BOX[0] / 2, top if top > y else top + BOX[1] if top < y else top + BOX[1] / 2
        if top == y:  # side by side: from edge to edge
            start, end = (x + (BOX[0] if left > x else 0), start[1]), (left + (0 if left > x else BOX[0]), end[1])
        thick = min(3.5, 0.8 + modules / 12)
        yield (
            f'<line x1="{start[0]:.0f}" y1="{start[1]:.0f}" x2="{end[0]:.0f}" y2="{end[1]:.0f}" stroke="#52606d" '
            f'stroke-opacity="0.55" stroke-width="{thick:.1f}" marker-end="url(#tip)"/>'
        )


def _box(part: Part, corner: tuple[float, float]) -> str:
    x, y = corner
    middle = x + BOX[0] / 2
    count = f"{part.files} files, {part.lines} lines" if part.files > 1 else f"{part.lines} lines"
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX[0]}" height="{BOX[1]}" rx="7" fill="#eef3f8" stroke="#334e68"/>'
        f'<text x="{middle:.0f}" y="{y + 26:.0f}" text-anchor="middle" font-size="17" fill="#102a43">{part.name}</text>'
        f'<text x="{middle:.0f}" y="{y + 45:.0f}" text-anchor="middle" font-size="11" fill="#52606d">{count}</text>'
    )


if __name__ == "__main__":
    raise SystemExit(main())
