"""The documents agree with each other and with the tree: commands of both READMEs, links, paths."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "deploy" / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(DOCS / f"{name}.md" for name in ("architecture", "capacity", "security", "cookbook")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
#: Paths in code marks; with a star or a brace they are many.
PATH = re.compile(r"`((?:monitor|models|dashboards|tests|deploy)/[\w./-]+)`")


def commands(page: str) -> set[str]:
    """Return the lines of a page's shell blocks, without their comments."""
    lines = (
        line
        for language, text in FENCE.findall((ROOT / page).read_text("utf-8"))
        if language == "sh"
        for line in text.splitlines()
    )
    return {re.sub(r"\s+#.*", "", line).strip() for line in lines if line.strip()}


def settings(page: str) -> set[str]:
    """Return the keys and values of a page's TOML blocks, without their comments."""
    blocks = (t for kind, t in FENCE.findall((ROOT / page).read_text("utf-8")) if kind == "toml")
    return {re.sub(r"\s+#.*", "", line) for text in blocks for line in text.splitlines() if line}


def section(page: str, heading: str) -> str:
    found = re.findall(
        rf"^##+ {heading}\n(.*?)(?=^##+ |\Z)",
        (ROOT / page).read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert len(found) == 1, f"{page}: {heading}"
    return str(found[0])


def test_the_chinese_readme_gives_no_other_commands() -> None:
    known = commands("README.md") | commands("deploy/docs/models.md")
    chinese = commands("README.zh.md")
    assert len(chinese) >= 12
    assert chinese <= known, f"in README.zh.md only: {sorted(chinese - known)}"
    known = settings("README.md") | settings("deploy/docs/models.md")
    assert settings("README.zh.md") <= known


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Two commands", "两条命令"),
        ("Your own news", "用自己的新闻"),
        ("Kafka, the production path", "生产环境：Kafka"),
        ("Recorded news", "历史新闻"),
    ],
)
def test_the_quick_start_is_the_same_in_both(english: str, chinese: str) -> None:
    blocks = []
    for page, heading in (("README.md", english), ("README.zh.md", chinese)):
        found = FENCE.findall(section(page, heading))
        lines = [[re.sub(r"\s+#.*", "", line) for line in text.splitlines()] for _, text in found]
        blocks.append(lines)
    first, second = blocks
    assert second == first[: len(second)] and second


def test_commands_named_in_chinese_exist() -> None:
    known = re.findall(r"^### `(foreshock .*)`$", reference.commands(), re.MULTILINE)
    text = (ROOT / "README.zh.md").read_text("utf-8")
    for named in re.findall(r"`(foreshock [a-z -]+?)`", text):
        assert named in known, named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_points_at_is_there(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    for target, anchor in LINK.findall(text):
        if target.startswith(("http:", "https:")):
            continue
        place = page if not target else (page.parent / target).resolve()
        assert place.exists(), f"{page.name} -> {target}"
        if anchor:
            assert anchor in anchors(place), f"{page.name} -> {target}#{anchor}"
    for path in PATH.findall(text):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
