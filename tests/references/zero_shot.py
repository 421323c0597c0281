"""Miniature sets of zero-shot papers in their archives' layouts; each image tells its class.

The pixels of an image all are the number of its class (modulo 256), so that labels can be checked.
"""

import csv
import gzip
import io
import json
import struct

import numpy as np
import scipy.io
import webdataset
from PIL import Image

from jaxbench.data.zero_shot import spaces, table


def image(label: int, suffix: str = ".png", size: int = 8) -> bytes:
  """An encoded image of a class."""
  content = io.BytesIO()
  kind = {".jpg": "PNG", ".png": "PNG", ".ppm": "PPM", ".JPEG": "PNG", ".webp": "WEBP"}[suffix]
  options = {"lossless": True} if kind == "WEBP" else {}
  Image.fromarray(np.full((size, size, 3), label % 256, np.uint8)).save(content, kind, **options)
  return content.getvalue()


def write(file, content):
  """Text, bytes or JSON."""
  file.parent.mkdir(parents=True, exist_ok=True)
  if not isinstance(content, str | bytes):
    content = json.dumps(content)
  (file.write_bytes if isinstance(content, bytes) else file.write_text)(content)


def dtd(root):
  for split, numbers in (("train1", (1, 2)), ("test1", (3, 4))):
    lines = []
    for label, kind in ((0, "banded"), (46, "zigzagged")):
      for number in numbers:
        write(root / f"dtd/images/{kind}/{kind}_{number}.jpg", image(label))
        lines.append(f"{kind}/{kind}_{number}.jpg")
    write(root / f"dtd/labels/{split}.txt", "\n".join(lines) + "\n")
  return ["banded/banded_3.jpg", "zigzagged/zigzagged_4.jpg"], 4


def food101(root):
  kinds = {"cheese_plate": 16, "cheesecake": 17, "waffles": 100}
  for kind, label in kinds.items():
    write(root / f"food-101/images/{kind}/7.jpg", image(label))
    write(root / f"food-101/images/{kind}/8.jpg", image(label))
  write(root / "food-101/meta/test.txt", "\n".join(f"{kind}/8" for kind in kinds))
  return ["cheesecake/8.jpg"], 3


def pets(root):
  lines = []
  for kind, label, theirs in (("Abyssinian", 0, 1), ("american_bulldog", 1, 2), ("Sphynx", 33, 34)):
    write(root / f"oxford-iiit-pet/images/{kind}_12.jpg", image(label))
    write(root / f"oxford-iiit-pet/images/{kind}_13.jpg", image(label))
    lines.append(f"{kind}_12 {theirs} 1 1")
  write(root / "oxford-iiit-pet/images/Abyssinian_12.mat", b"no image")
  write(root / "oxford-iiit-pet/annotations/test.txt", "\n".join(lines))
  return ["american_bulldog_12.jpg"], 3


def fgvc_aircraft(root):
  top = root / "fgvc-aircraft-2013b/data"
  kinds = spaces.folders("fgvc_aircraft")
  chosen = ("707-320", "F/A-18", "Cessna 172")
  rows = [(f"000000{n}", kind, kinds.index(kind)) for n, kind in enumerate(chosen, start=1)]
  for name, _, label in rows:
    write(top / f"images/{name}.jpg", image(label))
  write(top / "images_variant_test.txt", "\n".join(f"{name} {kind}" for name, kind, _ in rows))
  return ["0000002.jpg"], 3


def cub(root):
  top = root / "CUB_200_2011"
  kinds = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross")
  write(top / "classes.txt", "".join(f"{n} {kind}\n" for n, kind in enumerate(kinds, 1)))
  rows = []
  for label, kind in enumerate(kinds):
    for train in (1, 0):
      rows.append((f"{kind}/{kind[4:]}_000{train}_796111.jpg", train))
      write(top / f"images/{rows[-1][0]}", image(label))
  lists = {"images": [name for name, _ in rows], "train_test_split": [train for _, train in rows]}
  for name, values in lists.items():
    lines = "".join(f"{n} {value}\n" for n, value in enumerate(values, 1))
    write(top / f"{name}.txt", lines)
  return ["002.Laysan_Albatross/Laysan_Albatross_0000_796111.jpg"], 3


def sun397(root):
  kinds = spaces.folders("sun397")
  places = ("a/abbey", "w/wine_cellar/bottle_storage", "y/yard")
  for place in places:
    label = kinds.index(f"/{place}")
    write(root / f"SUN397/{place}/sun_a.jpg", image(label))
    write(root / f"SUN397/{place}/sun_b.jpg", image(label))
  write(root / "SUN397/Testing_01.txt", "\n".join(f"/{place}/sun_b.jpg" for place in places))
  return ["w/wine_cellar/bottle_storage/sun_b.jpg"], 3


def sun397_all(root):
  sun397(root)
  return ["y/yard/sun_a.jpg"], 6


def gtsrb(root):
  lines = ["Filename;Width;Height;Roi.X1;ClassId"]
  for number, label in enumerate((16, 1, 42)):
    write(root / f"gtsrb/GTSRB/Final_Test/Images/{number:05}.ppm", image(label, ".ppm"))
    lines.append(f"{number:05}.ppm; 53; 54; 6; {label}")
  write(root / "gtsrb/GT-final_test.csv", "\n".join(lines))
  return ["00002.ppm"], 3


def tinyimagenet(root):
  top = root / "tiny-imagenet-200"
  wnids = ("n02124075", "n01443537")  # Egyptian cat and goldfish, which comes first.
  write(top / "wnids.txt", "\n".join(wnids))
  for number in range(len(wnids)):
    write(top / f"val/images/val_{number}.JPEG", image(1 - number))
  rows = [f"val_{number}.JPEG\t{wnid}\t0\t0\t1\t1" for number, wnid in enumerate(wnids)]
  write(top / "val/val_annotations.txt", "\n".join(rows))
  return ["val_1.JPEG"], 2


def clevr(root, label_of):
  things = [[7.5] * 3, [9.7, 12.0, 11.0, 10.5], [10.2] * 10]
  scenes = []
  for number, depths in enumerate(things):
    name = f"CLEVR_val_{number:06}.png"
    write(root / f"CLEVR_v1.0/images/val/{name}", image(label_of(depths)))
    objects = [{"pixel_coords": [1, 2, depth]} for depth in depths]
    scenes.append({"image_filename": name, "objects": objects})
  write(root / "CLEVR_v1.0/scenes/CLEVR_val_scenes.json", {"scenes": scenes})
  return ["CLEVR_val_000002.png"], 3


def clevr_count_all(root):
  return clevr(root, lambda depths: len(depths) - 3)


def clevr_closest_object_distance(root):
  edges = (0, 8, 8.5, 9, 9.5, 10)
  return clevr(root, lambda depths: np.searchsorted(edges, min(depths), side="right") - 1)


def coop(root):
  top = root / "eurosat"
  rows = []
  for number, (kind, label) in enumerate((("Forest", 1), ("AnnualCrop", 0))):
    write(top / f"2750/{kind}/{kind}_{number}.jpg", image(label))
    rows.append([f"{kind}/{kind}_{number}.jpg", label, ("Annual Crop Land", "Forest")[label]])
  write(top / "split_zhou_EuroSAT.json", {"train": [], "val": [], "test": rows})
  return ["Forest/Forest_0.jpg"], 2


def caltech101_all(root):
  top = root / "caltech101/101_ObjectCategories"
  kinds = {"BACKGROUND_Google": 255, "Faces": 36, "Faces_easy": 37, "accordion": 0}
  for kind, label in kinds.items():
    write(top / f"{kind}/image_0001.jpg", image(label))
  write(top / "accordion/tmp/image_0002.jpg", image(9))
  return ["Faces/image_0001.jpg"], 3


def caltech256(root):
  top = root / "256_ObjectCategories"
  for label, kind in enumerate(("001.ak47", "056.dog", "145.motorbikes-101", "257.clutter")):
    write(top / f"{kind}/{kind[:3]}_0001.jpg", image(label))
  write(top / "056.dog/greg/vision309.jpg", image(99))
  return ["257.clutter/257_0001.jpg"], 4


def country211(root):
  codes = [f"{a}{b}" for a in "ABCDEFGHIJKLMNO" for b in "ABCDEFGHIJKLMNO"][:211]
  for label, code in enumerate(codes):
    write(root / f"country211/test/{code}/{code}.jpg", image(label))
  return ["AA/AA.jpg"], 211


def cars(root):
  top = root / "stanford_cars"
  names = np.empty((1, 196), object)
  names[0] = spaces.folders("cars")
  scipy.io.savemat(_made(top / "devkit/cars_meta.mat"), {"class_names": names})
  rows = np.zeros((1, 2), [("fname", object), ("class", object)])
  for number, label in enumerate((195, 3)):
    rows[0, number] = (f"{number:05}.jpg", np.uint8(label + 1))
    write(top / f"cars_test/{number:05}.jpg", image(label))
  scipy.io.savemat(top / "cars_test_annos_withlabels.mat", {"annotations": rows})
  return ["00000.jpg"], 2


def cars_together(root):
  top = root / "cars"
  names = np.empty((1, 196), object)
  names[0] = spaces.folders("cars")
  fields = [("relative_im_path", object), ("class", object), ("test", object)]
  rows = np.zeros((1, 3), fields)
  for number, (label, test) in enumerate(((0, 0), (7, 1), (9, 1))):
    rows[0, number] = (f"car_ims/{number:06}.jpg", np.uint8(label + 1), np.uint8(test))
    write(top / f"car_ims/{number:06}.jpg", image(label))
  scipy.io.savemat(top / "cars_annos.mat", {"annotations": rows, "class_names": names})
  return ["car_ims/000001.jpg"], 2


def flowers(root):
  top = root / "flowers-102"
  labels = np.array([[102, 1, 77, 5]], np.uint8)
  for number, label in enumerate(labels[0], start=1):
    write(top / f"jpg/image_{number:05}.jpg", image(int(label) - 1))
  scipy.io.savemat(top / "imagelabels.mat", {"labels": labels})
  sets = {"trnid": np.array([[1]]), "valid": np.array([[2]]), "tstid": np.array([[3, 4]])}
  scipy.io.savemat(top / "setid.mat", sets)
  return ["image_00003.jpg"], 2


def svhn(root):
  digits = np.array([[10], [1], [9]], np.uint8)
  pixels = np.tile((digits[:, 0] % 10).astype(np.uint8), (32, 32, 3, 1))
  scipy.io.savemat(_made(root / "test_32x32.mat"), {"X": pixels, "y": digits})
  return ["000000"], 3


def mnist(root):
  labels = np.array([7, 2, 1, 0], np.uint8)
  pixels = np.repeat(labels, 28 * 28)
  write(root / "mnist/t10k-labels-idx1-ubyte", struct.pack(">II", 2049, 4) + labels.tobytes())
  head = struct.pack(">IIII", 2051, 4, 28, 28)
  write(root / "mnist/t10k-images-idx3-ubyte.gz", gzip.compress(head + pixels.tobytes()))
  return ["000003"], 4


def fer_folders(root):
  kinds = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
  for label, kind in enumerate(kinds):
    write(root / f"fer2013/test/{kind}/PrivateTest_1.jpg", image(label))
  return ["neutral/PrivateTest_1.jpg"], 7


def fer_table(root):
  by_number = (0, 1, 2, 3, 5, 6, 4)  # Neutral is the last number.
  rows = [["emotion", " Usage", " pixels"]]
  for number, label in enumerate(by_number):
    rows.append(
      [number, "PrivateTest" if number % 2 else "PublicTest", " ".join([str(label)] * 2304)]
    )
  rows.append([0, "Training", " ".join(["9"] * 2304)])
  text = io.StringIO()
  csv.writer(text).writerows(rows)
  write(root / "fer2013/icml_face_data.csv", text.getvalue())
  return ["000006"], 7


def renderedsst2(root):
  for label, kind in enumerate(("negative", "positive")):
    write(root / f"rendered-sst2/test/{kind}/1.png", image(label))
  return ["positive/1.png"], 2


def voc2007(root):
  canvas = np.zeros((20, 30, 3), np.uint8)
  canvas[3:9, 4:12], canvas[10:18, 2:20] = 6, 19  # A car, a television.
  content = io.BytesIO()
  Image.fromarray(canvas).save(content, "PNG")
  boxes = (("car", 4, 3, 12, 9), ("tvmonitor", 2, 10, 20, 18))
  _voc(root, {"000001": (content.getvalue(), boxes)})
  return ["000001.jpg/1"], 2


def voc2007_multilabel(root):
  """Three images of the test and one that is not; each is grey of its first class."""
  box = (1, 1, 4, 4)
  images = {
    "000001": (image(6), (("tvmonitor", *box), ("car", *box), ("car", *box))),
    "000002": (image(19), (("tvmonitor", *box),)),
    "000004": (image(0), (("person", *box), ("aeroplane", *box))),
  }
  _voc(root, images)
  write(root / "VOCdevkit/VOC2007/JPEGImages/000003.jpg", image(9))
  return {"000001.jpg": [6, 19], "000002.jpg": [19], "000004.jpg": [0, 14]}


def _voc(root, images):
  """Encoded images with their boxes (class, left, top, right, bottom), by name."""
  top = root / "VOCdevkit/VOC2007"
  for stem, (content, boxes) in images.items():
    write(top / f"JPEGImages/{stem}.jpg", content)
    objects = "".join(
      f"<object><name>{name}</name><difficult>1</difficult><bndbox><xmin>{left}</xmin>"
      f"<ymin>{top_}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
      for name, left, top_, right, bottom in boxes
    )
    write(top / f"Annotations/{stem}.xml", f"<annotation>{objects}</annotation>")
  write(top / "ImageSets/Main/aeroplane_test.txt", "".join(f"{stem} -1\n" for stem in images))


def _made(file):
  file.parent.mkdir(parents=True, exist_ok=True)
  return file


def hub(root, name, folder, labels=(0, 1, 1, 0)):
  """Two shards of a set as CLIP_benchmark packs it, its names and templates beside."""
  top = root / folder
  top.mkdir(parents=True)
  space = next(row.space for row in table.ROWS if row.name == name)
  own = next((each for each in space.prompts if each.source == "clip_benchmark"), None)
  above = top.parent if top.name == "test" else top
  names = own.class_names if own else space.class_names
  (above / "classnames.txt").write_text("\n".join(names) + "\n")
  if own is not None:
    lines = [template.replace("{}", "{c}") for template in own.templates]
    (above / "zeroshot_classification_templates.txt").write_text("\n".join(lines))
  for shard in range(2):
    with webdataset.TarWriter(str(top / f"{shard}.tar")) as writer:
      for row in range(shard * len(labels) // 2, (shard + 1) * len(labels) // 2):
        content = image(labels[row], ".webp")
        label = {"cls": labels[row]}
        if space.metric == "mean average precision":  # Of two classes, the second in all images.
          label = {"npy": np.eye(len(names))[[labels[row], 1]].max(axis=0)}
        writer.write({"__key__": f"s{row:07d}", "webp": content} | label)
  (top / "nshards.txt").write_text("2")
  return above


ARCHIVES = {
  "caltech101-all": caltech101_all,
  "caltech256": caltech256,
  "cars": cars,
  "clevr_closest_object_distance": clevr_closest_object_distance,
  "clevr_count_all": clevr_count_all,
  "country211": country211,
  "cub": cub,
  "dtd": dtd,
  "eurosat-coop": coop,
  "fer2013": fer_folders,
  "fgvc_aircraft": fgvc_aircraft,
  "flowers": flowers,
  "food101": food101,
  "gtsrb": gtsrb,
  "mnist": mnist,
  "pets": pets,
  "renderedsst2": renderedsst2,
  "sun397": sun397,
  "sun397-all": sun397_all,
  "svhn": svhn,
  "tinyimagenet": tinyimagenet,
  "voc2007": voc2007,
}
OTHER_FORMS = (("cars", cars_together), ("fer2013", fer_table))
