"""The sets of the zero-shot papers: all rows.

Names are CLIP_benchmark's, for its test images. Where others test on other images of the same set,
that is a row of its own: `-all` are all images (TeCoA), `-coop` those of CoOp's split; `sun397` is
the first official partition and `sun397-all` the whole, as CLIP_benchmark has it.
"""

from jaxbench.data.published import Published
from jaxbench.data.zero_shot.rows.characters import CHARACTERS
from jaxbench.data.zero_shot.rows.coop import COOP
from jaxbench.data.zero_shot.rows.natural import NATURAL
from jaxbench.data.zero_shot.rows.specialized import SPECIALIZED
from jaxbench.data.zero_shot.rows.structured import STRUCTURED
from jaxbench.data.zero_shot.rows.tecoa import TECOA

ROWS = (*NATURAL, *CHARACTERS, *SPECIALIZED, *STRUCTURED, *TECOA, *COOP)
SETS: dict[str, Published] = {row.name: row.published() for row in ROWS}
