import hashlib
import re

from jaxbench import tables


def test_every_table_is_the_one_whose_source_is_named():
  listed = tables.path("README.md").read_text()
  rows = re.findall(r"^\| `([^`]+)` .* `([0-9a-f]{64})` \|$", listed, re.MULTILINE)
  assert len(rows) == 35
  for name, digest in rows:
    assert hashlib.sha256(tables.path(name).read_bytes()).hexdigest() == digest
  licences = set(re.findall(r"`(LICENSE-[\w-]+)`", listed))
  described = {name for name, _ in rows} | licences | {"README.md"}
  assert {file.name for file in tables.path(".").iterdir()} == described
