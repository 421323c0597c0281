"""Scenes whose classes are numbers, distances and angles, as VTAB asks of them."""

from jaxbench.data.zero_shot import listed
from jaxbench.data.zero_shot.row import Row, Tfds

_CLEVR = "https://cs.stanford.edu/people/jcjohns/clevr (CLEVR_v1.0.zip, unpacked)"
STRUCTURED = (
  Row(
    "clevr_count_all",
    15_000,
    listed.clevr_count,
    ("CLEVR_v1.0",),
    _CLEVR,
    wds="vtab-clevr_count_all",
  ),
  Row(
    "clevr_closest_object_distance",
    15_000,
    listed.clevr_distance,
    ("CLEVR_v1.0",),
    _CLEVR,
    wds="vtab-clevr_closest_object_distance",
  ),
  Row("dmlab", 22_735, wds="vtab-dmlab", tfds=Tfds("dmlab/2.0.1", id="filename")),
  *(
    Row(
      f"dsprites_label_{what}",
      73_728,
      wds=f"vtab-dsprites_label_{what}",
      tfds=Tfds("dsprites/2.*.*", "train[663552:]", "", f"label_{what}"),
    )
    for what in ("orientation", "x_position", "y_position")
  ),
  *(
    Row(
      f"smallnorb_label_{what}",
      12_150,
      wds=f"vtab-smallnorb_label_{what}",
      tfds=Tfds("smallnorb/2.*.*", "test[50%:]", "", f"label_{what}"),
    )
    for what in ("azimuth", "elevation")
  ),
  Row("kitti_closest_vehicle_distance", 711, wds="vtab-kitti_closest_vehicle_distance"),
)
