"""Per-example results: one row per example and cell, in Parquet parts that appear whole or not.

A run's folder holds `run.json` (what was asked), `sessions/*.json` (where it ran, a file for each
process), `logs/*.jsonl` (what each process did with its time) and `records/*.parquet`. A part holds
rows of one block of examples; a killed run goes on with whatever parts there are. What is damaged
is moved to `broken` and computed again.
"""

from jaxbench.records.description import load_run
from jaxbench.records.rows import by_cell, is_value, read, read_finished, unreadable
from jaxbench.records.schema import SCHEMA, table
from jaxbench.records.store import Store

__all__ = [
  "SCHEMA",
  "Store",
  "by_cell",
  "is_value",
  "load_run",
  "read",
  "read_finished",
  "table",
  "unreadable",
]
