"""Draws the pictures of the page about the synthetic federation, from its generator: `python docs/pictures.py`."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from html import escape
from pathlib import Path

from polyceph.core.model.dataset import Zone
from polyceph.declarations.federation import load_federation
from polyceph.testing.federation.generate import DOMAINS, pieces
from polyceph.testing.federation.scenario import Scenario
from polyceph.testing.federation.truth import Truth

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"
ZONES = {"raw": "#8c6d46", "bronze": "#b87333", "silver": "#7d8a97", "gold": "#b8901c", "output": "#2f6f8f"}
SERVED = {
    "postgres": "PostgreSQL",
    "mariadb": "MariaDB",
    "rest": "REST",
    "explore": "Opendatasoft",
    "ckan": "CKAN",
    "odata": "SAP",
    "soap": "SOAP",
    "graph": "SharePoint",
    "ftp": "FTP",
    "sftp": "SFTP",
    "s3": "S3",
    "share": "share",
}
STYLE = "font-family:system-ui,sans-serif;font-size:12px"


def main() -> None:
    """Write both pictures."""
    IMAGES.mkdir(exist_ok=True)
    truth = Truth()
    made = {piece.path: piece.content for piece in pieces(Scenario(), truth)}
    kinds = {tuple(path.split("/")[:2]) for path in made}
    (IMAGES / "federation.svg").write_text(_map(kinds), encoding="utf-8")
    (IMAGES / "pay-series.svg").write_text(_series(made["postgres/education_pay/pay_lines.csv"], truth), encoding="utf-8")


def _map(kinds: set[tuple[str, ...]]) -> str:
    """Draw a row a domain: its sources with their kind, how many datasets it has in each zone, its outputs."""
    federation = load_federation(DOCS.parent / "examples" / "federation", today=date(2025, 11, 10))
    sources: Mapping[str, list[tuple[str, str]]] = defaultdict(list)
    for kind, name in sorted(kinds):
        domain = next(d for d in sorted(DOMAINS, key=len, reverse=True) if name.startswith(f"{d}_"))
        sources[domain].append((name.removeprefix(f"{domain}_"), SERVED[kind]))
    rows, y = [], 40
    for domain in DOMAINS:
        declared = federation.domains[domain]
        counts = Counter(str(dataset.zone) for dataset in declared.datasets)
        outputs = sorted(dataset.name for dataset in declared.datasets if dataset.zone is Zone.OUTPUT)
        height = 18 * max(len(sources[domain]), len(outputs), 4) + 22
        said = [f"{name} ({kind})" for name, kind in sources[domain] if name in declared.sources]
        rows.append(_row(y, height, declared.title["en"], said, counts, outputs))
        y += height + 12
    heads = ((20, "sources"), (330, "datasets by zone"), (690, "served outside"))
    return _picture(y, [*(_text(x, 22, word, "font-weight:600") for x, word in heads), *rows])


def _row(y: int, height: int, title: str, sources: list[str], counts: Mapping[str, int], outputs: list[str]) -> str:
    parts = [f'<rect x="10" y="{y}" width="940" height="{height}" rx="6" fill="#f6f7f8" stroke="#c8cdd2"/>']
    parts += [_text(20, y + 20 + 18 * i, source) for i, source in enumerate(sources)]
    parts.append(_text(330, y + 20, title, "font-weight:600"))
    for i, (zone, colour) in enumerate(ZONES.items()):
        x = 330 + 68 * i
        parts.append(f'<rect x="{x}" y="{y + 34}" width="62" height="34" rx="4" fill="{colour}"/>')
        parts.append(_text(x + 31, y + 48, zone, "fill:#fff;text-anchor:middle;font-size:10px"))
        parts.append(_text(x + 31, y + 62, str(counts.get(zone, 0)), "fill:#fff;text-anchor:middle;font-weight:600"))
    parts += [_text(690, y + 20 + 18 * i, output) for i, output in enumerate(outputs)]
    return "".join(parts)


def _series(content: bytes, truth: Truth) -> str:
    """Draw the sum of two pay scales by month: the one with a drop and a spike, and a clean one."""
    entries = truth.of("series")
    chosen = [next(entry for entry in entries if bool(entry["anomalies"]) is wrong) for wrong in (False, True)]
    parts = []
    for colour, x, entry in zip(("#7d8a97", "#b03a2e"), (200, 40), chosen, strict=True):
        scale = str(entry["series"]["pay_scale"])
        sums = _sums(content, scale)
        points = {m: (40 + 18 * i, round(215 - 170 * value / max(sums.values()))) for i, (m, value) in enumerate(sorted(sums.items()))}
        path = " ".join(f"{left},{top}" for left, top in points.values())
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(x, 20, f"pay scale {scale}" if entry["anomalies"] else f"pay scale {scale}, clean", f"fill:{colour}"))
        for anomaly in entry["anomalies"]:
            left, top = points[anomaly["month"]]
            parts.append(f'<circle cx="{left}" cy="{top}" r="6" fill="none" stroke="{colour}"/>')
            parts.append(_text(left + 10, top + 4, f"{anomaly['kind']} of {anomaly['month']}", f"fill:{colour}"))
    years = [(left, month[:4]) for month, (left, _) in points.items() if month.endswith("-01")]
    parts += [_text(left, 240, year, "fill:#555") for left, year in years]
    return _picture(250, parts)


def _sums(content: bytes, scale: str) -> Mapping[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for row in csv.reader(content.decode().splitlines()):
        if row[3] == scale:
            sums[row[2][:7]] += float(row[6])
    return sums


def _picture(height: int, parts: Iterable[str]) -> str:
    size = f'viewBox="0 0 960 {height}" width="960" height="{height}"'
    paper = f'<rect width="960" height="{height}" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">{paper}{"".join(parts)}</svg>\n'


def _text(x: int, y: int, text: str, style: str = "") -> str:
    return f'<text x="{x}" y="{y}" style="{style}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
