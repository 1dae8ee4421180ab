"""The report as one HTML page: tables, plots and frames, all inside the file; nothing is fetched when it is opened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ..report import Report, Row
from .stills import Still

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;overflow-wrap:break-word}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}h3{font-size:1rem;margin:.5rem 0 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:Canvas}
.facts td{text-align:left;vertical-align:top;white-space:normal;overflow-wrap:anywhere}
.facts td:first-child{white-space:nowrap}
tr:hover td{background:var(--soft)}
.best{font-weight:600}
small,.key{color:GrayText}
small{font-weight:400}
li,code{overflow-wrap:anywhere}
figure{display:inline-block;margin:.5rem 1rem .5rem 0}figure img{display:block;max-width:100%;border-radius:4px}
.plots{display:grid;gap:0 2rem;grid-template-columns:repeat(auto-fill,minmax(min(100%,24rem),1fr))}
svg{width:100%;height:auto}svg text{fill:CanvasText;font:12px system-ui,sans-serif}svg line{stroke:CanvasText}
@media (max-width:40rem){
body{margin:1rem auto}th,td{padding:.25rem .4rem}td small{display:block}
th:first-child,td:first-child{white-space:normal;max-width:7rem}.facts td:first-child{white-space:normal;max-width:5rem}
}
"""
COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2")
TITLES = {
    "reconstruction": "Clips drawn again from their first frame",
    "another": "Another person's picture, moved by a clip",
    "videos": "Videos against the real ones",
    "talking": "The mouth against a voice",
    "compare": "One input through every model",
}
EXAMPLES = 4  # of the best and of the worst
LABEL, PLOT, EDGE = 116, 320, 8  # of a drawing, in its own units, which are pixels on a wide page
LONGEST = 16  # characters of a label


def page(
    title: str,
    tables: Mapping[str, Report],
    stills: Sequence[Still],
    not_measured: Mapping[str, str],
    protocol: Mapping[str, Any],
    notes: Sequence[str],
) -> str:
    """HTML of a report.

    Args:
        title: heading.
        tables: reports by task.
        stills: frames of the clips.
        not_measured: metric -> the reason.
        protocol: what the numbers depend on, see :func:`~talkingface.evaluation.results.protocol.protocol`.
        notes: lines below the tables.
    """
    parts = [f"<h1>{escape(title)}</h1>", f"<p>Protocol <code>{escape(str(protocol['hash']))}</code></p>"]
    for task, report in tables.items():
        parts += [f"<h2>{escape(TITLES.get(task, task))}</h2>", _table(report), _plots(report)]
    parts += [_examples(stills), _missing(not_measured), _notes(notes), _protocol(protocol)]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _table(report: Report) -> str:
    """A line for each metric, a column for each method."""
    head = "".join(f'<th scope="col">{escape(row.method)}</th>' for row in report.rows)
    lines = []
    for name in report.metrics():
        heading, digits, better = report.look(name)
        values = [row.over_identities.get(name, math.nan) for row in report.rows]
        best = _best(values, better, digits)
        cells = "".join(
            f"<td{' class=best' if place in best else ''}>{_cell(row, name, digits)}</td>"
            for place, row in enumerate(report.rows)
        )
        arrow = {"lower": "&nbsp;↓", "higher": "&nbsp;↑", "": ""}.get(better, f"&nbsp;→&nbsp;{better}")
        lines.append(f"<tr><td>{escape(heading)}{arrow}</td>{cells}</tr>")
    table = f'<table><tr><th scope="col">metric</th>{head}</tr>{"".join(lines)}</table>'
    key = escape(report.counts()) + "; mean over people, 95 % confidence interval by bootstrap over people"
    return f'<div class="wide">{table}</div><p class="key">{key}</p>'


def _best(values: Sequence[float], better: str, digits: int) -> set[int]:
    """Places of the best values, as they are written: several where they are equal; none of a single one."""
    known = {place: round(value, digits) for place, value in enumerate(values) if not math.isnan(value)}
    if len(known) < 2 or not better:
        return set()
    signs = {"lower": 1, "higher": -1}
    worth = {
        place: signs[better] * value if better in signs else abs(value - float(better))
        for place, value in known.items()
    }
    return {place for place, value in worth.items() if value == min(worth.values())}


def _cell(row: Row, name: str, digits: int) -> str:
    value = row.over_identities.get(name, math.nan)
    if math.isnan(value):
        return "-"
    low, high = row.interval.get(name, (math.nan, math.nan))
    about = "" if math.isnan(low) else f" <small>{_number(low, digits)} to {_number(high, digits)}</small>"
    return _number(value, digits) + about


def _number(value: float, digits: int) -> str:
    """A number with digits behind the point; what rounds to nothing has no sign."""
    return f"{round(value, digits) + 0.0:.{digits}f}"


def _plots(report: Report) -> str:
    """Strips of all clips, a drawing for each metric."""
    drawings = "".join(_strip(report, name) for name in report.metrics())
    if not drawings:
        return ""
    key = '<p class="key">A dot is a clip; a line marks the mean over people.</p>'
    return f'<details><summary>Each clip, by metric</summary>{key}<div class="plots">{drawings}</div></details>'


def _strip(report: Report, name: str) -> str:
    """One metric as a drawing, a line of dots for each method; empty where nothing was measured in clips."""
    rows = [
        [(s.clip, s.scores[name]) for s in report.clips if s.method == row.method and name in s.scores]
        for row in report.rows
    ]
    values = [value for row in rows for _, value in row if math.isfinite(value)]
    if not values:
        return ""
    low, high = min(values), max(values)
    heading, digits, _ = report.look(name)

    def at(value: float) -> str:
        return f"{LABEL + PLOT * (value - low) / ((high - low) or 1.0):.1f}"

    marks = []
    for place, (row, clips) in enumerate(zip(report.rows, rows, strict=True)):
        y, colour = 14 + 22 * place, COLOURS[place % len(COLOURS)]
        marks.append(f'<text x="0" y="{y + 4}">{escape(_short(row.method))}</text>')
        marks += [
            f'<circle cx="{at(value)}" cy="{y}" r="4" fill="{colour}" fill-opacity=".7">'
            f"<title>{escape(f'{row.method}, {clip}: {_number(value, digits)}')}</title></circle>"
            for clip, value in clips
            if math.isfinite(value)
        ]
        mean = row.over_identities.get(name, math.nan)
        if low <= mean <= high:
            marks.append(f'<line x1="{at(mean)}" x2="{at(mean)}" y1="{y - 8}" y2="{y + 8}" stroke-width="2"/>')
    bottom = 14 + 22 * len(rows)
    marks.append(f'<text x="{LABEL}" y="{bottom + 8}">{_number(low, digits)}</text>')
    marks.append(f'<text x="{LABEL + PLOT}" y="{bottom + 8}" text-anchor="end">{_number(high, digits)}</text>')
    size = f'viewBox="0 0 {LABEL + PLOT + EDGE} {bottom + 14}"'
    drawing = f'<svg {size} role="img" aria-label="{escape(heading)}">{"".join(marks)}</svg>'
    return f"<section><h3>{escape(heading)}</h3>{drawing}</section>"


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def _examples(stills: Iterable[Still]) -> str:
    """The worst of the worst frames and the best of the best."""
    parts = []
    for kind, sign in (("worst", -1), ("best", 1)):
        chosen = sorted((s for s in stills if s.kind == kind), key=lambda s: (sign * s.error, s.clip))[:EXAMPLES]
        figures = "".join(_figure(still) for still in chosen)
        if figures:
            order = f"Source, frame that is compared with, {escape(chosen[0].method)}."
            parts.append(f"<h2>The {kind} frames</h2><p>{order}</p>{figures}")
    return "\n".join(parts)


def _figure(still: Still) -> str:
    caption = f"{still.clip}, frame {still.frame}, L1 {still.error:.4f}"
    image = f'<img alt="{escape(caption)}" src="data:image/jpeg;base64,{still.jpeg}">'
    return f"<figure>{image}<figcaption><small>{escape(caption)}</small></figcaption></figure>"


def _missing(not_measured: Mapping[str, str]) -> str:
    if not not_measured:
        return ""
    items = "".join(f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in sorted(not_measured.items()))
    return f"<h2>Not measured</h2><ul>{items}</ul>"


def _notes(notes: Sequence[str]) -> str:
    return f"<h2>Notes</h2><ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>" if notes else ""


def _protocol(protocol: Mapping[str, Any]) -> str:
    facts = {key: value for key, value in protocol.items() if key not in ("data", "hash")}
    lines = "".join(f"<tr><td>{escape(key)}</td><td>{escape(_told(value))}</td></tr>" for key, value in facts.items())
    files = "".join(
        f"<tr><td>{escape(name)}</td><td><code>{escape(digest[:16])}</code></td></tr>"
        for name, digest in protocol["data"].items()
    )
    return (
        f'<h2>Protocol</h2><table class="facts">{lines}</table>'
        f'<details><summary>{len(protocol["data"])} files</summary><table class="facts">{files}</table></details>'
    )


def _told(value: Any) -> str:
    """A value of the protocol in words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_told(part)}" for key, part in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return " ".join(_told(part) for part in value) or "none"
    return "none" if value is None else str(value)
