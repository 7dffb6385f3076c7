"""An explanation as a web page of its own: no script, nothing from elsewhere."""

from __future__ import annotations

from html import escape

from models.explain.explanation import Explanation, evidence_span

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.6 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem;
  padding: 0 1rem; color: #1a1a1a; background: #fff }}
.text span {{ border-radius: 3px; padding: 1px 2px }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums }}
td, th {{ padding: 2px 12px 2px 0; text-align: left }}
td:last-child, th:last-child {{ text-align: right }}
.warning {{ border-left: 4px solid #b45309; padding-left: 0.75rem }}
</style>
<h1>{title}</h1>
<p class="text">{text}</p>
{warning}<p>Evidence: <q>{evidence}</q></p>
<table><thead><tr><th>word</th><th>attribution</th></tr></thead><tbody>
{rows}
</tbody></table>
<p><small>{foot}</small></p>
</html>
"""


def as_html(explanation: Explanation) -> str:
    """The text with its words coloured (green for the label, red against it), and a table."""
    strongest = max((abs(word.attribution) for word in explanation.words), default=0.0) or 1.0
    parts, at = [], 0
    for word in explanation.words:
        share = word.attribution / strongest
        colour = f"rgb(21 128 61 / {share:.2f})" if share > 0 else f"rgb(185 28 28 / {-share:.2f})"
        parts.append(escape(explanation.text[at : word.start]))
        parts.append(
            f'<span style="background: {colour}" title="{word.attribution:+.3f}">'
            f"{escape(word.text)}</span>"
        )
        at = word.end
    parts.append(escape(explanation.text[at:]))
    rows = "\n".join(
        f"<tr><td>{escape(word.text)}</td><td>{word.attribution:+.3f}</td></tr>"
        for word in sorted(explanation.words, key=lambda word: -abs(word.attribution))
    )
    start, end = evidence_span(explanation)
    warning = explanation.warning
    gap = explanation.completeness_gap
    return _PAGE.format(
        title=escape(f"{explanation.head}: {explanation.label}"),
        text="".join(parts),
        warning=f'<p class="warning">{escape(warning)}</p>\n' if warning else "",
        evidence=escape(explanation.text[start:end]),
        rows=rows,
        foot=escape(
            f"{explanation.model}, {explanation.method}; log-odds {explanation.log_odds:+.3f}, "
            f"with every word masked {explanation.baseline_log_odds:+.3f}"
            + ("" if gap is None else f"; completeness gap {gap:.1%}")
        ),
    )
