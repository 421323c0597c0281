"""How the sessions of a run spent their time."""

import itertools

from etils import epath

from jaxbench.records import logs


def spent(workdir: epath.PathLike) -> dict[str, str]:
  """Shares of the time of each session, as people read them."""
  sentences = {}
  ordered = sorted(logs.read(workdir), key=lambda line: line["session"])
  for session, group in itertools.groupby(ordered, key=lambda line: line["session"]):
    lines = list(group)
    total = sum(line["seconds"] for line in lines)
    shares = [
      f"{part} {sum(line[part] for line in lines) / total:.0%}"
      for part in logs.PARTS
      if part in lines[-1]
    ]
    memory = max((line["memory"] or 0 for line in lines), default=0)
    most = f", at most {memory / 2**30:.1f} GiB on a device" if memory else ""
    sentences[session] = f"{', '.join(shares)}; slots {lines[-1]['occupancy']:.0%} occupied{most}"
  return sentences
