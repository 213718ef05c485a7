"""A small valid federation as text, to start a test from and to break one line of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FEDERATION = """\
name: wallonia_demo
title: {fr: Wallonie, en: Wallonia}
languages: [fr, en]
environments:
  dev: {storage: .polyceph/lakes}
  prod: {storage: "s3://lakes/wallonia"}
channels:
  stewards: {kind: ntfy, target_env: STEWARDS_NTFY}
people:
  anne.dupont: {name: Anne Dupont, email: anne.dupont@example.org}
  marc.leroy: {name: Marc Leroy, email: marc.leroy@example.org}
  eva.simon: {name: Eva Simon, email: eva.simon@example.org}
  luc.petit: {name: Luc Petit, email: luc.petit@example.org, left: 2026-03-31}
"""

_EDUCATION = """\
name: education
title: {fr: Enseignement, en: Education}
owner: anne.dupont
steward: marc.leroy
interim_owner: eva.simon
contact: stewards
sources:
  register:
    connector: database
    host: {env: EDUCATION_REGISTER_HOST}
    port: 5432
    password_env: EDUCATION_REGISTER_PASSWORD
consumes:
  - data_office.gold.municipalities
"""

_DATA_OFFICE = """\
name: data_office
title: {fr: Bureau des données, en: Data office}
owner: eva.simon
steward: marc.leroy
contact: stewards
sources:
  lists: {connector: folder, path: lists}
"""

_EDUCATION_DEFS = """\
type: polyceph.orchestrate.components.Ingest
attributes:
  source: register
  schedule: "0 5 * * *"
  datasets:
    - name: schools
      table: public.schools
    - name: pupils
      table: public.pupils
---
type: polyceph.orchestrate.components.Transform
attributes:
  project: transform
---
type: polyceph.orchestrate.components.Output
attributes:
  outputs:
    - name: pupils_by_school
      of: gold.pupils_by_school
      to: postgres
---
type: polyceph.orchestrate.components.Shell
attributes:
  name: geocode
  command: [python, scripts/geocode.py]
  reads: [raw.schools, data_office.gold.municipalities]
  writes: [bronze.positions]
"""

_DATA_OFFICE_DEFS = """\
type: polyceph.orchestrate.components.Ingest
attributes:
  source: lists
  datasets:
    - name: municipalities
      file: municipalities.csv
---
type: polyceph.orchestrate.components.Transform
attributes:
  project: transform
"""

_SOURCES = """\
version: 2
sources:
  - name: raw
    database: education
    schema: raw
    tables:
      - name: schools
      - name: pupils
  - name: reference
    database: data_office
    schema: gold
    tables:
      - name: municipalities
"""

_COLUMNS = """\
      - name: code
        logicalType: string
        physicalName: Code
        description: Official code.
        required: true
      - name: label
        logicalType: string
        physicalName: Libellé
        customProperties:
          - property: personalData
            value: none
"""


def contract_text(domain: str, zone: str, name: str, *, owner: str = "anne.dupont", columns: str = _COLUMNS) -> str:
    """Return a valid contract of a dataset; `columns` is the YAML of the list under `properties`, indented by six."""
    return f"""\
apiVersion: v3.1.0
kind: DataContract
id: {domain}-{zone}-{name}
name: {name}
version: 1.2.0
status: active
domain: {domain}
description:
  purpose: What {name} is for.
team:
  members:
    - username: {owner}
      role: owner
    - username: marc.leroy
      role: steward
customProperties:
  - property: zone
    value: {zone}
  - property: classification
    value: internal
schema:
  - name: {name}
    properties:
{columns}"""


def federation_files() -> dict[str, str]:
    """Return a valid federation of two domains: path relative to its folder → text.

    Its connectors are called `database` and `folder`; education consumes a gold dataset of data_office.
    """
    education, data_office = "domains/education", "domains/data_office"
    files = {
        "federation.yaml": _FEDERATION,
        f"{education}/domain.yaml": _EDUCATION,
        f"{education}/defs/register/defs.yaml": _EDUCATION_DEFS,
        f"{education}/transform/dbt_project.yml": "name: education\nversion: 1.0.0\n",
        f"{education}/transform/models/sources.yml": _SOURCES,
        f"{education}/transform/models/silver/enrolments.sql": "select 1 as one\n",
        f"{education}/transform/models/gold/pupils_by_school.sql": "select 1 as one\nfrom {{ ref('enrolments') }}\n",
        f"{data_office}/domain.yaml": _DATA_OFFICE,
        f"{data_office}/defs/lists/defs.yaml": _DATA_OFFICE_DEFS,
        f"{data_office}/transform/dbt_project.yml": "name: data_office\nversion: 1.0.0\n",
        f"{data_office}/transform/models/gold/municipalities.sql": "select 1 as one\n",
    }
    for domain, zone, name in (
        ("education", "raw", "schools"),
        ("education", "raw", "pupils"),
        ("education", "gold", "pupils_by_school"),
        ("education", "output", "pupils_by_school"),
        ("data_office", "raw", "municipalities"),
        ("data_office", "gold", "municipalities"),
    ):
        files[f"domains/{domain}/contracts/{zone}/{name}.odcs.yaml"] = contract_text(
            domain, zone, name, owner="anne.dupont" if domain == "education" else "eva.simon"
        )
    return files


def write_federation(folder: Path, files: Mapping[str, str] | None = None) -> Path:
    """Write a federation (the valid one by default) into `folder` and return the folder."""
    for path, text in (federation_files() if files is None else files).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder
