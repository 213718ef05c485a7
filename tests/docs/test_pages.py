"""Documentation pages lead somewhere: links and headings exist, YAML parses, each decision is listed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
_YAML = re.compile(r"^ *```yaml[^\n]*\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    for target, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), f"{page.name} links to {target}, which does not exist"
        assert not anchor or anchor in _anchors(found), f"{page.name} links to #{anchor}, which {found.name} does not have"


@pytest.mark.parametrize("page", [page for page in PAGES if "```yaml" in page.read_text(encoding="utf-8")], ids=lambda page: page.stem)
def test_every_yaml_example_parses(page: Path) -> None:
    for example in _YAML.findall(page.read_text(encoding="utf-8")):
        assert list(yaml.safe_load_all(example))


def test_every_decision_is_listed() -> None:
    decisions = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}-[^)]+\.md)\)", (decisions / "README.md").read_text(encoding="utf-8")))
    assert listed == {path.name for path in decisions.glob("0*.md")}
