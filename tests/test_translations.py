"""Pages in Chinese say what the English ones say: the same headings, code, and tables with the same code in cells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from talkingface.paths import CLONE

PAGES = sorted([CLONE / "README.zh.md", *(CLONE / "docs").glob("*.zh.md")])
EXPECTED = {"animate", "cluster", "sadtalker", "styleheat", "settings", "from-other-programs", "training", "student"}
TRANSLATED = re.compile(r"[一-鿿]")
CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s#]+)(?:#([^)\s]*))?\)")


def english(page: Path) -> Path:
    return page.with_name(page.name.replace(".zh.md", ".md"))


def headings(page: Path) -> list[int]:
    return [len(match[1]) for match in re.finditer(r"^(#+) ", _without_code(page), re.MULTILINE)]


def blocks(page: Path) -> list[list[str]]:
    """Indented and fenced blocks of code, without their comments."""
    text = page.read_text(encoding="utf-8")
    fenced = [block.splitlines() for block in re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)]
    rest = re.sub(r"^```\w*\n(.*?)^```", "", text, flags=re.MULTILINE | re.DOTALL)
    indented = re.findall(r"(?:^    .*\n?)+", rest, re.MULTILINE)
    lines = [*fenced, *(block.splitlines() for block in indented)]
    return [[line.partition("  #")[0].split(" # ")[0].strip() for line in block] for block in lines]


def rows(page: Path) -> list[list[str]]:
    """The table rows of a page: their cells."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def codes(cells: list[str]) -> list[str]:
    """Texts of a row in the type of code that are no words of a language."""
    return sorted(code for cell in cells for code in CODE.findall(cell) if not TRANSLATED.search(code))


def _without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_the_pages_that_users_need_are_there() -> None:
    assert {page.name.removesuffix(".zh.md") for page in PAGES} >= EXPECTED | {"README"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_headings_and_blocks_are_those_of_the_english_page(page: Path) -> None:
    assert headings(page) == headings(english(page))
    assert blocks(page) == blocks(english(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_have_the_same_rows_with_the_same_code(page: Path) -> None:
    ours, theirs = rows(page), rows(english(page))
    assert [len(cells) for cells in ours] == [len(cells) for cells in theirs]
    wrong = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if not _same(codes(mine), codes(other))]
    assert wrong == []


def _same(chinese: list[str], source: list[str]) -> bool:
    """True where all code is the same; a word that stands for a file may be translated, and is then left out."""
    return set(chinese) <= set(source) and len(source) - len(chinese) <= sum(" FILE" in code for code in source)


@pytest.mark.parametrize("page", [*PAGES, *map(english, PAGES)], ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    targets = [match[1] for match in LINK.finditer(page.read_text(encoding="utf-8"))]
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_page_is_chinese_and_links_to_the_english_one(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert f"[English]({english(page).name})" in text
    prose = [line for line in _without_code(page).splitlines() if len(line) > 60 and line[:1] not in "|! "]
    assert [line for line in prose if "`" not in line and not TRANSLATED.search(line)] == []
