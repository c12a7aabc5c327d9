"""docs/schema.md is what crmmail/store/tables.py says."""

from __future__ import annotations

from pathlib import Path

import pytest
from schema_page import page

from crmmail.store import tables

PAGE = Path(__file__).parents[1] / "docs" / "schema.md"


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/schema_page.py > docs/schema.md"


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.__name__)
def test_every_table_and_column_stands_on_the_page(table: type[tables.Table]) -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {table._meta.table_name}\n")
    part = rest.partition("\n## ")[0]
    for field in table._meta.sorted_fields:
        assert f"| `{field.column_name}`" in part
