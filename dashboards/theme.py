"""One visual language, light and dark.

Warm is bad, cool is good, grey is neither: sentiment runs from vermilion over grey to blue (apart for every
common form of colour blindness), severity from grey over amber to crimson, and both always carry words.
"""

from __future__ import annotations

from typing import Any

NEGATIVE, NEUTRAL, POSITIVE, UNREAD = "#C8551B", "#9AA5B1", "#1F6FB2", "#C9B8D8"
# One colour per severity, least severe first; chosen to differ in lightness, too.
SEVERITIES = ("#94A3B8", "#64748B", "#C98A0B", "#D9480F", "#B0123B")
BRIGHT = ("#A9B6C4", "#A9B6C4", "#F1C25B", "#FFA173", "#FF8FA6")  # the same, as text on dark
SEVERITY_WORDS = ("Notable", "Moderate", "Serious", "Severe", "Critical")
SEVERITY_BADGES = ("gray", "gray", "yellow", "orange", "red")
MIDDLE = {"light": "#EEF1F4", "dark": "#2A323C"}  # of the diverging scale
CHOSEN = "background-color: rgba(31, 111, 178, 0.14)"  # of a chosen row
INK = {"light": "#1B2733", "dark": "#E6EBF0"}
GREY = {"light": "#8896A5", "dark": "#7C8B9A"}
CARD = {"light": "#FFFFFF", "dark": "#171E26"}  # what charts stand on
BAND = {"light": "#DCE3EA", "dark": "#333E4A"}

WORDMARK = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='176' height='32' viewBox='0 0 176 32'>"
    "<path d='M1 17h6l3-5 4 10 5-20 6 28 4-17 2 4h4' fill='none' stroke='#C8551B' stroke-width='2.6' "
    "stroke-linecap='round' stroke-linejoin='round'/><text x='44' y='23' font-family='Helvetica, "
    "Arial, sans-serif' font-size='21' font-weight='700' fill='{ink}'>"
    "Foreshock</text></svg>"
)
ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64' viewBox='0 0 40 40'><rect width='40' "
    "height='40' rx='9' fill='#1B2733'/><path d='M4 21h6l3-5 4 10 5-18 5 24 3-13 2 2h4' fill='none' "
    "stroke='#F08A4B' stroke-width='2.8' stroke-linecap='round' stroke-linejoin='round'/></svg>"
)

CSS = """<style>
.stApp { --card: light-dark(#FFFFFF, #171E26); --line: light-dark(#E1E6EB, #2B3540);
  --soft: light-dark(#5B6B7B, #9AA8B6); --ink: light-dark(#1B2733, #E6EBF0); }
.stApp, .stAppHeader { background: light-dark(#F3F5F8, #0F151B); }
.stMainBlockContainer { max-width: 1720px; padding: 4.3rem 1.6rem 2rem; }
[data-stale="true"], .stale-element { opacity: 1 !important; transition: none !important; }
[data-testid="stStatusWidget"], .stAppDeployButton { display: none; }
[class*="st-key-panel-"] { background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; padding: .7rem 1rem .8rem; }
[class*="st-key-panel-"] h3 { font-size: .95rem; font-weight: 650; padding: 0 0 .4rem;
  letter-spacing: 0; }
[data-testid="stMetric"] { background: var(--card); border-color: var(--line); border-radius: 10px;
  padding: .7rem 1rem .6rem; display: flex; flex-direction: row; align-items: flex-end; gap: .6rem; }
[data-testid="stMetric"] > div:first-child { flex: 1.25; min-width: 0; padding: 0; }
[data-testid="stMetric"] > div:nth-child(2) { flex: 1; min-width: 0; height: 3.4rem; }
.st-key-panel-guidance { max-width: 48rem; margin: 4vh auto; padding: 1.6rem 1.8rem; }
.stApp .st-key-panel-guidance h3 { font-size: 1.35rem; }
[data-testid="stMetricLabel"] { color: var(--soft); }
[class*="st-key-card-"] { border: 1px solid var(--line); border-left: 4px solid var(--line);
  border-radius: 8px; padding: .45rem .7rem .5rem; }
[class*="-title"] > div > [data-testid="stText"], [class*="-title"] [data-testid="stText"] {
  font-weight: 620; font-size: .95rem; }
.stApp .st-key-alert-title [data-testid="stText"] { font-size: 1.35rem; font-weight: 650; }
.st-key-panel-detail [data-testid="stText"] { font-size: .96rem; }
[class*="-meta"] [data-testid="stText"] span { color: var(--soft); font-size: .84rem; }
[class*="-quote"] { border-left: 3px solid var(--soft); padding-left: .8rem; }
[class*="-quote"] p { font-size: 1.02rem; margin: 0; overflow-wrap: anywhere; }
[class*="-quote"] mark { background: light-dark(#FBE3C4, #5A4020); color: inherit; padding: 0 .1em;
  border-radius: 3px; }
[data-testid="stText"] { overflow-wrap: anywhere; }
.st-key-item-quote p { font-size: 1.3rem; line-height: 1.4; font-weight: 620; }
.st-key-lead-of-item-quote p, .st-key-evidence-quote p { font-size: 1rem; font-weight: 400; }
.st-key-panel-answers button { min-height: 2.05rem; padding: .1rem .5rem; }
.facts { display: flex; flex-wrap: wrap; gap: .35rem 1.9rem; align-items: baseline;
  font-size: .88rem; color: var(--soft); line-height: 1.35; }
.facts b { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.facts .lead { font-size: 1.18rem; font-weight: 700; color: var(--ink); }
.facts i { display: inline-block; width: .55rem; height: .55rem; border-radius: 50%;
  margin-right: .4rem; }
/* cards */
</style>"""


def css() -> str:
    """Return the style sheet of every page: our own constants, nothing from outside."""
    cards = "\n".join(
        f'[class*="st-key-card-{at}-"] {{ border-left-color: {colour}; }}'
        for at, colour in enumerate(SEVERITIES, start=1)
    )
    return CSS.replace("/* cards */", cards)


def severity_word(severity: int) -> str:
    """Return what people call a severity.

    Examples
    --------
    >>> severity_word(5)
    'Critical'
    """
    return SEVERITY_WORDS[min(max(severity, 1), 5) - 1]


def severity_colour(severity: int, tone: str = "light") -> str:
    """Return a severity's colour, as text of a page of this tone."""
    return (SEVERITIES if tone == "light" else BRIGHT)[min(max(severity, 1), 5) - 1]


def severity_badge(severity: int) -> Any:
    """Return a severity's name among Streamlit's badge colours; `options` gives those our tones."""
    return SEVERITY_BADGES[min(max(severity, 1), 5) - 1]


def tint(score: object) -> str:
    """Return the cell style of a score in [-1, 1]; readable on light and dark.

    Examples
    --------
    >>> tint(None)
    ''
    >>> tint(-1.0)
    'background-color: rgba(200, 85, 27, 0.42)'
    """
    if not isinstance(score, float) or score != score:
        return ""
    colour = "200, 85, 27" if score < 0 else "31, 111, 178"
    return f"background-color: rgba({colour}, {min(abs(score), 1.0) * 0.42:.2f})"


def options() -> dict[str, Any]:
    """Return Streamlit's theme options, named as its command line names them."""
    light = {
        "backgroundColor": "#FFFFFF",
        "secondaryBackgroundColor": "#F1F4F7",
        "textColor": INK["light"],
        "borderColor": "#E1E6EB",
        "dataframeBorderColor": "#E8ECF0",
        "dataframeHeaderBackgroundColor": "#F3F6F9",
        "primaryColor": "#1F5F99",
        "linkColor": "#1F6FB2",
    }
    dark = {
        "backgroundColor": "#171E26",
        "secondaryBackgroundColor": "#222C37",
        "textColor": INK["dark"],
        "borderColor": "#2B3540",
        "dataframeBorderColor": "#26303A",
        "dataframeHeaderBackgroundColor": "#1B242E",
        "primaryColor": "#5BA3E0",
        "linkColor": "#6FB1EA",
    }
    tones = {"red": 4, "orange": 3, "yellow": 2, "gray": 1}
    for name, at in tones.items():
        colour = SEVERITIES[at]
        light |= {f"{name}Color": colour, f"{name}TextColor": colour}
        light[f"{name}BackgroundColor"] = colour + "1F"
        dark |= {f"{name}Color": colour, f"{name}BackgroundColor": colour + "44"}
    dark |= {"redTextColor": BRIGHT[4], "orangeTextColor": BRIGHT[3], "yellowTextColor": BRIGHT[2]}
    shared = {"baseRadius": "8px", "metricValueFontSize": "1.7rem", "baseFontSize": 15}
    return {
        **{f"theme_{name}": value for name, value in shared.items()},
        **{f"theme_light_{name}": value for name, value in light.items()},
        **{f"theme_dark_{name}": value for name, value in dark.items()},
    }
