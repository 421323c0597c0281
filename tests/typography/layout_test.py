import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from jaxbench import errors, tables, typography

IMAGE = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
WORDS = ("ox", "Égypte", "jack-o'-lantern", "product packet / packaging")
LAYOUTS = st.builds(
  typography.Layout,
  size=st.one_of(st.floats(0.02, 0.4), st.integers(1, 60)),
  copies=st.integers(1, 12),
  place=st.sampled_from(typography.PLACES),
  outline=st.floats(0, 0.3),
  font=st.sampled_from(typography.FONTS),
)


def _overlap(one, other):
  across = one.left < other.right and other.left < one.right
  return across and one.top < other.bottom and other.top < one.bottom


@hypothesis.given(LAYOUTS, st.sampled_from(WORDS), st.integers(0, 9))
def test_letters_stay_inside_boxes_that_stay_apart_and_inside_the_image(layout, word, seed):
  boxes = typography.boxes(IMAGE.shape[:2], word, layout, seed)
  assert 1 <= len(boxes) <= layout.copies
  outside = np.ones(IMAGE.shape[:2], bool)
  for box in boxes:
    assert 0 <= box.left < box.right <= 128
    assert 0 <= box.top < box.bottom <= 96
    outside[box.top : box.bottom, box.left : box.right] = False
  assert not any(_overlap(*pair) for pair in itertools.combinations(boxes, 2))
  drawn = typography.draw(IMAGE, word, layout, seed)
  assert drawn.dtype == np.uint8
  np.testing.assert_array_equal(drawn[outside], IMAGE[outside])


@pytest.mark.parametrize("font", typography.FONTS)
@pytest.mark.parametrize("outline", [0, 0.1])
def test_a_box_holds_all_ink_and_hardly_more(font, outline):
  """The whole word, drawn by Pillow on a canvas with room to spare."""
  layout = typography.Layout(size=20, outline=outline, outline_color="white", font=font)
  black = np.zeros((100, 400, 3), np.uint8)
  for word in WORDS:
    (box,) = typography.boxes(black.shape[:2], word, layout, 0)
    drawn = typography.draw(black, word, layout, 0)
    rows, columns = drawn[..., 0].nonzero()
    from_box = rows.min() - box.top, columns.min() - box.left
    to_box = box.bottom - 1 - rows.max(), box.right - 1 - columns.max()
    assert min(from_box + to_box) >= 0
    assert max(from_box + to_box) <= 3


def test_letters_are_pillows():
  """What is drawn equals Pillow's own text of that size at that place, without an outline."""
  layout = typography.Layout(size=24, outline=0, color="#10e0ff")
  (box,) = typography.boxes((96, 128), "sloth", layout, 3)
  font = ImageFont.truetype(
    str(tables.path("DejaVuSans-Bold.ttf")), 24, layout_engine=ImageFont.Layout.BASIC
  )
  left, top, *_ = font.getbbox("sloth")
  expected = Image.fromarray(IMAGE)
  start = (box.left - left, box.top - top)
  ImageDraw.Draw(expected).text(start, "sloth", fill="#10e0ff", font=font)
  drawn = typography.draw(IMAGE, "sloth", layout, 3)
  np.testing.assert_allclose(drawn.astype(int), np.asarray(expected, int), atol=1)


def test_places_are_uniform_over_all_that_are_free():
  layout = typography.Layout(size=8, outline=0)
  shape = (12, 24)
  found = [typography.boxes(shape, "ox", layout, seed)[0] for seed in range(4000)]
  tops = np.bincount([box.top for box in found])
  lefts = np.bincount([box.left for box in found])
  height, width = found[0].bottom - found[0].top, found[0].right - found[0].left
  assert len(tops) == 12 - height + 1
  assert len(lefts) == 24 - width + 1
  for counts in (tops, lefts):
    expected = 4000 / len(counts)
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


@pytest.mark.parametrize("place", ["top", "center", "bottom"])
def test_a_block_of_lines_stands_where_it_is_asked_for(place):
  boxes = typography.boxes((96, 128), "ox", typography.Layout(size=10, copies=3, place=place), 0)
  above, below = boxes[0].top, 96 - boxes[-1].bottom
  assert len(boxes) == 3
  assert all(abs((box.left + box.right) - 128) <= 1 for box in boxes)
  assert {"top": above < 6 < below, "center": abs(above - below) <= 1, "bottom": below < 6 < above}[
    place
  ]


@pytest.mark.parametrize("seed", range(5))
def test_random_copies_fill_the_image_until_no_room_is_left(seed):
  shape = (24, 40)
  boxes = typography.boxes(shape, "ox", typography.Layout(size=7, copies=99, outline=0), seed)
  assert not any(_overlap(*pair) for pair in itertools.combinations(boxes, 2))
  height, width = boxes[0].bottom - boxes[0].top, boxes[0].right - boxes[0].left
  corners = itertools.product(range(24 - height + 1), range(40 - width + 1))
  for top, left in corners:
    another = typography.Box(left, top, left + width, top + height)
    assert any(_overlap(another, box) for box in boxes)


@pytest.mark.parametrize("place", ["top", "center", "bottom"])
def test_lines_for_which_no_room_is_left_are_not_written(place):
  boxes = typography.boxes((96, 128), "ox", typography.Layout(size=30, copies=50, place=place), 0)
  height = boxes[0].bottom - boxes[0].top
  assert 96 // (1.6 * height) <= len(boxes) <= 96 // (1.25 * height)


def test_a_long_word_shrinks_until_it_fits_and_a_short_one_has_the_size_that_was_asked_for():
  layout = typography.Layout(size=0.5, outline=0)
  (long,) = typography.boxes((96, 128), "product packet / packaging", layout, 0)
  assert 110 < long.right - long.left <= 128
  (letter,) = typography.boxes((96, 128), "H", layout, 0)
  assert letter.bottom - letter.top == pytest.approx(0.729 * 48, abs=1)  # Its capitals' height.
  (same,) = typography.boxes((300, 300), "H", typography.Layout(size=48, outline=0), 0)
  assert same.bottom - same.top == letter.bottom - letter.top


def test_opacity_goes_from_nothing_to_all():
  drawn = {
    share: typography.draw(IMAGE, "ox", typography.Layout(opacity=share), 0).astype(float)
    for share in (0, 0.5, 1)
  }
  np.testing.assert_array_equal(drawn[0], IMAGE)
  np.testing.assert_allclose(drawn[0.5], (drawn[0] + drawn[1]) / 2, atol=1)
  assert (drawn[1] == 255).all(axis=-1).any()


def test_outline_and_letters_have_their_colors():
  grey = np.full((64, 64, 3), 128, np.uint8)
  layout = typography.Layout(size=40, color="yellow", outline=0.1, outline_color="#0000ff")
  pixels = {
    tuple(map(int, pixel)) for pixel in typography.draw(grey, "I", layout, 0)[:, :].reshape(-1, 3)
  }
  assert {(255, 255, 0), (0, 0, 255), (128, 128, 128)} <= pixels
  bare = typography.Layout(size=40, color="white", outline=0)
  assert typography.draw(grey, "I", bare, 0).min() == 128  # No dark seam.
  thick = typography.Layout(size=40, outline=0.1, outline_color="white")
  ink = [(typography.draw(grey, "I", one, 0) > 128).sum() for one in (bare, thick)]
  assert ink[1] > 1.5 * ink[0]


def test_a_seed_decides_and_the_image_is_left_alone():
  layout, image = typography.Layout(copies=3), IMAGE.copy()
  first, again, other = (typography.draw(image, "ox", layout, seed) for seed in (5, 5, 6))
  np.testing.assert_array_equal(first, again)
  assert (first != other).any()
  np.testing.assert_array_equal(image, IMAGE)


@pytest.mark.parametrize("pixels", [1, 2, 5])
def test_the_smallest_fonts_draw_too(pixels):
  for word in ("-", ".", "ox"):
    layout = typography.Layout(size=pixels, copies=3, outline=0)
    assert typography.draw(IMAGE, word, layout, 0).shape == IMAGE.shape


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"size": 0}, "size must be above 0"),
    ({"size": float("nan")}, "size must be above 0"),
    ({"copies": 0}, "copies must be a whole number from 1 on"),
    ({"copies": 1.5}, "copies must be a whole number"),
    ({"place": "centre"}, "Did you mean 'center'"),
    ({"opacity": 1.1}, "opacity must be 0 to 1"),
    ({"outline": -1}, "outline must be a share"),
    ({"color": "whitish"}, "unknown color specifier"),
    ({"outline_color": "#00000080"}, "has an opacity of its own"),
    ({"font": "Times New Roman"}, "font 'Times New Roman': no such file"),
    ({"font": __file__}, "cannot be read"),
  ],
)
def test_a_bad_layout_is_one_clear_line(arguments, message):
  with pytest.raises(errors.InputError, match=message) as caught:
    typography.Layout(**arguments)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("image", "word", "message"),
  [
    (IMAGE, " ", "no word to write"),
    (IMAGE[:1, :2], "hen", "no room for 'hen' on 2 x 1 pixels"),
    (IMAGE / 255, "ox", "must be uint8"),
    (IMAGE[None], "ox", r"not uint8 \[1, 96, 128, 3\]"),
  ],
)
def test_what_cannot_be_drawn_is_one_clear_line(image, word, message):
  with pytest.raises(errors.InputError, match=message):
    typography.draw(image, word, typography.Layout(), 0)
