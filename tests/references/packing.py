"""One folder of images, `class/name.png`, in every form that people keep such sets in."""

import io
import json
import pathlib
import struct
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow_datasets as tfds
from PIL import Image


def write_images(root: pathlib.Path, classes: tuple[str, ...], each: int = 3) -> pathlib.Path:
  """JPEGs of several sizes and modes, the same at every call."""
  draw = np.random.default_rng(5)
  for label, name in enumerate(classes):
    (root / name).mkdir(parents=True)
    for number in range(each):
      pixels = draw.integers(0, 256, (9 + label, 12 + number, 3), np.uint8)
      picture = Image.fromarray(pixels).convert("L" if number == 1 else "RGB")
      picture.save(root / name / f"{number}.jpg", quality=90)
  return root


def files(root: pathlib.Path) -> list[tuple[str, str, bytes]]:
  """Path inside, class and content of each, in no particular order."""
  found = sorted(file for file in root.rglob("*") if file.is_file())
  order = np.random.default_rng(6).permutation(len(found))
  names = [found[i].relative_to(root).as_posix() for i in order]
  return [(name, name.split("/")[0], (root / name).read_bytes()) for name in names]


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
  """One file into a tar."""
  member = tarfile.TarInfo(name)
  member.size = len(content)
  archive.addfile(member, io.BytesIO(content))


def tar(root: pathlib.Path, path: pathlib.Path, top: str = "") -> pathlib.Path:
  """A tar archive, with or without a top folder."""
  with tarfile.open(path, "w") as archive:
    add(archive, f"{top}README.txt", b"not an image")
    for name, _, content in files(root):
      add(archive, top + name, content)
  return path


def webdataset(root: pathlib.Path, path: pathlib.Path, classes: tuple[str, ...]) -> pathlib.Path:
  """Two shards as CLIP_benchmark lays them out."""
  (path / "test").mkdir(parents=True)
  (path / "classnames.txt").write_text("\n".join(classes) + "\n")
  everything = files(root)
  for shard, some in enumerate((everything[:4], everything[4:])):
    with tarfile.open(path / "test" / f"{shard}.tar", "w") as archive:
      for name, kind, content in some:
        key = name.removesuffix(".jpg")
        add(archive, f"{key}.cls", str(classes.index(kind)).encode())
        add(archive, f"{key}.jpg", content)
  return path / "test"


def parquet(root: pathlib.Path, path: pathlib.Path, classes: tuple[str, ...]) -> pathlib.Path:
  """Two files of small row groups, with the description of the `datasets` library."""
  (path / "data").mkdir(parents=True)
  kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
  features = {"image": {"_type": "Image"}, "label": {"names": classes, "_type": "ClassLabel"}}
  described = {"huggingface": json.dumps({"info": {"features": features}})}
  schema = pa.schema([("image", kind), ("label", pa.int64())], metadata=described)
  everything = files(root)
  for number, some in enumerate((everything[:5], everything[5:])):
    images = [{"bytes": content, "path": name} for name, _, content in some]
    labels = [classes.index(name) for _, name, _ in some]
    table = pa.table({"image": images, "label": labels}, schema=schema)
    file = path / "data" / f"test-{number:05d}-of-00002.parquet"
    pq.write_table(table, file, row_group_size=2)
  return path


class _Pets(tfds.core.GeneratorBasedBuilder):
  """Reads the folder `root`, which is set from outside."""

  VERSION = tfds.core.Version("1.2.0")
  root: pathlib.Path
  classes: tuple[str, ...]

  def _info(self) -> tfds.core.DatasetInfo:
    features = {
      "image": tfds.features.Image(),
      "label": tfds.features.ClassLabel(names=self.classes),
      "file_name": tfds.features.Text(),
    }
    return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

  def _split_generators(self, _):
    return {"test": self._generate_examples()}

  def _generate_examples(self):
    for name, kind, content in files(self.root):
      yield name, {"image": io.BytesIO(content), "label": kind, "file_name": name}


def prepared(
  root: pathlib.Path, path: pathlib.Path, classes: tuple[str, ...], file_format: str
) -> pathlib.Path:
  """As TFDS prepares it: by TFDS itself, but for TFRecord, where that would need TensorFlow."""
  _Pets.root, _Pets.classes = root, classes
  made = "array_record" if file_format == "tfrecord" else file_format
  builder = _Pets(data_dir=path, file_format=made)
  builder.download_and_prepare()
  folder = pathlib.Path(builder.data_dir)
  if file_format == "tfrecord":
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    records = list(builder.as_data_source("test", deserialize_method=raw))
    written = b"".join(struct.pack("<QI", len(one), 0) + one + bytes(4) for one in records)
    (old,) = folder.glob("*.array_record-*")
    (folder / old.name.replace("array_record", "tfrecord")).write_bytes(written)
    old.unlink()
    info = folder / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord"))
  return folder
