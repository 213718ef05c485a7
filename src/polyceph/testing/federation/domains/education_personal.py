"""What education's contracts and models are held against: its columns of personal data, and paths of columns from source to output."""

from __future__ import annotations

from polyceph.testing.federation.truth import Truth

PERSONAL = {
    "education.raw.pupils": {
        "national_number": "national_number",
        "last_name": "name",
        "first_name": "name",
        "sex": "sex",
        "birth_date": "birth_date",
        "philosophy_course": "belief",
        "street": "address",
        "postcode": "address",
        "remark": "free_text",
    },
    "education.raw.staff": {
        "national_number": "national_number",
        "last_name": "name",
        "first_name": "name",
        "sex": "sex",
        "birth_date": "birth_date",
        "email": "e-mail",
        "phone": "telephone",
        "hired_on": "career",
    },
    "education.raw.pay": {"reference": "iban", "gross_amount": "career"},
    "education.raw.inspection_visits": {"inspector": "name"},
    "education.raw.inspection_reports": {"line": "free_text"},
}
"""By dataset and column: the category."""
NOT_MARKED = (("education.raw.pupils", "remark"), ("education.raw.pay", "reference"))
"""What the contracts do not say: free text with names and telephones, an account under another name."""
PATHS = (
    (
        ("data_office.raw.codes", "label_fr"),
        ("data_office.bronze.listed_codes", "label_fr"),
        ("data_office.gold.codes", "label_fr"),
        ("education.gold.schools_by_network", "network_fr"),
        ("education.output.schools_by_network", "network_fr"),
    ),
    (
        ("education.raw.staff", "hours_per_week"),
        ("education.bronze.staff", "hours_per_week"),
        ("education.gold.pupils_by_municipality", "staff_hours"),
        ("education.output.pupils_by_municipality", "staff_hours"),
    ),
    (
        ("education.raw.pay", "gross_amount"),
        ("education.bronze.pay", "gross_amount"),
        ("education.silver.paid_lines", "gross_amount"),
        ("education.gold.staff_cost", "gross_amount_eur"),
        ("education.output.staff_cost", "gross_amount_eur"),
    ),
    (
        ("education.raw.sites", "capacity"),
        ("education.bronze.sites", "capacity"),
        ("education.gold.schools_by_network", "capacity"),
        ("education.output.schools_by_network", "capacity"),
    ),
)


def plant(truth: Truth) -> None:
    """Write them down."""
    for dataset, columns in PERSONAL.items():
        for column, category in columns.items():
            marked = (dataset, column) not in NOT_MARKED
            truth.add("personal_data", dataset=dataset, column=column, category=category, marked=marked)
    for path in PATHS:
        truth.add("lineage", path=[{"dataset": dataset, "column": column} for dataset, column in path])
