"""Tables for spreadsheets and notebooks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi.responses import Response

#: With these a spreadsheet takes a cell for a formula (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe(value: object) -> object:
    """Return a cell that no spreadsheet computes: such text gets an apostrophe; numbers stay numbers.

    Examples
    --------
    >>> safe('=HYPERLINK("http://a.example")'), safe("  @SUM(A1)"), safe(-0.5), safe("Acme")
    ('\\'=HYPERLINK("http://a.example")', "'  @SUM(A1)", -0.5, 'Acme')
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.lstrip(" \u00a0").startswith(FORMULA):
        return "'" + value
    return value


def exported(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], form: str, name: str
) -> Response:
    """Return rows as a file ``NAME.csv`` or ``NAME.parquet``."""

    import pandas as pd

    if form == "parquet":
        buffer = io.BytesIO()
        frame = pd.DataFrame(
            [[row[column] for column in columns] for row in rows], columns=list(columns)
        )
        frame.to_parquet(buffer, index=False)
        body, kind = buffer.getvalue(), "application/vnd.apache.parquet"
    else:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows([safe(row[column]) for column in columns] for row in rows)
        body, kind = text.getvalue().encode("utf-8", "replace"), "text/csv; charset=utf-8"
    disposition = f'attachment; filename="{name}.{form}"'
    return Response(body, headers={"Content-Disposition": disposition}, media_type=kind)
