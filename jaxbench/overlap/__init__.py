"""Do evaluation images occur in the training data? Nearest neighbours, duplicates, thresholds.

`embed` writes vectors of evaluation sets, `search` looks for their nearest neighbours among stored
vectors of a training set, `find_duplicates` calibrates thresholds and looks within the evaluation
sets; `metrics.overlap` and the report tell what it means for accuracy.
"""

from jaxbench.overlap.duplicates import find as find_duplicates
from jaxbench.overlap.embeddings import Embeddings, embed
from jaxbench.overlap.embeddings import read as read_embeddings
from jaxbench.overlap.encoders import Encoder
from jaxbench.overlap.encoders import load as load_encoder
from jaxbench.overlap.kernel import Nearest, Settings
from jaxbench.overlap.neighbours import nearest, piece_size
from jaxbench.overlap.pairs import write as write_pairs
from jaxbench.overlap.planted import KINDS
from jaxbench.overlap.scan import Merged, merge, search
from jaxbench.records.overlap import MATCHES, Duplicates, read_duplicates, read_search

__all__ = [
  "KINDS",
  "MATCHES",
  "Duplicates",
  "Embeddings",
  "Encoder",
  "Merged",
  "Nearest",
  "Settings",
  "embed",
  "find_duplicates",
  "load_encoder",
  "merge",
  "nearest",
  "piece_size",
  "read_duplicates",
  "read_embeddings",
  "read_search",
  "search",
  "write_pairs",
]
