"""Sets of texts: the forms that are read, and what is refused."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jaxbench import data, errors
from jaxbench.data.texts import AG_NEWS, are_texts

NAMES = ("World", "Sports", "Business", "Sci/Tech")
TEXTS = ("Oil rises", "The team lost", "A storm\u2028hits", "Chips, again")


def _table(**columns):
  described = {"info": {"features": {"label": {"names": list(NAMES), "_type": "ClassLabel"}}}}
  table = pa.table({"text": list(TEXTS), "label": [2, 1, 0, 3], **columns})
  return table.replace_schema_metadata({"huggingface": json.dumps(described)})


def test_ag_news_is_read_as_the_hub_has_it(tmp_path):
  folder = tmp_path / "ag_news/data"
  folder.mkdir(parents=True)
  pq.write_table(_table(), folder / "test-00000-of-00001.parquet")
  pq.write_table(_table().slice(0, 1), folder / "train-00000-of-00001.parquet")
  source = data.load("ag_news", tmp_path)
  assert (source.texts, source.labels) == (TEXTS, [2, 1, 0, 3])
  assert tuple(source.class_names) == AG_NEWS
  own = data.load(f"{folder}(split='test')")
  assert tuple(own.class_names) == NAMES
  assert own.sha256 != source.sha256
  with pytest.raises(errors.InputError, match="several splits"):
    data.load(str(folder))


def test_lines_name_their_classes(tmp_path):
  file = tmp_path / "own.jsonl"
  rows = [{"text": text, "label": NAMES[number % 2]} for number, text in enumerate(TEXTS)]
  file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
  source = data.load(str(file))
  assert source.texts == TEXTS
  assert [source.class_names[label] for label in source.labels] == [row["label"] for row in rows]
  with pytest.raises(errors.InputError, match="sees images"):
    source.label_space.supervised_groups(1000)
  file.write_text(file.read_text() + '\n{"text": "no label"}')
  with pytest.raises(errors.InputError, match="holds no texts"):
    data.load(str(file))


def test_images_with_texts_are_images(tmp_path):
  pq.write_table(_table(image=[b"1"] * 4), tmp_path / "seen.parquet")
  assert not are_texts(tmp_path / "seen.parquet")
  assert not are_texts(tmp_path / "nothing.parquet")
