"""A bucket of Google Cloud Storage on this machine: as much of its JSON API as gcsfs asks for here.

After https://docs.cloud.google.com/storage/docs/json_api/v1/objects: uploads are atomic, listings
and readers see them at once, and ifGenerationMatch=0 admits the first of several.
"""

import collections
import contextlib
import datetime
import http.server
import json
import re
import threading
import time
import urllib.parse


class _Handler(http.server.BaseHTTPRequestHandler):
  protocol_version = "HTTP/1.1"

  def do_POST(self):
    body = self.rfile.read(int(self.headers["Content-Length"]))
    if self.server.failures:
      self._answer(self.server.failures.pop(), {})
      return
    _, metadata, data = body.split(b"--==0==")[:3]
    name = json.loads(metadata.split(b"\n\n", 1)[1])["name"]
    data = data.split(b"\n\n", 1)[1].removesuffix(b"\n")
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
    with self.server.lock:
      # An object can be changed about once a second:
      # https://docs.cloud.google.com/storage/quotas#objects
      if time.monotonic() - self.server.changed.get(name, -1e9) < self.server.pause:
        self.server.refused += 1
        self._answer(429, {"error": {"code": 429, "message": "rateLimitExceeded"}})
        return
      if query.get("ifGenerationMatch") == ["0"] and name in self.server.objects:
        self._answer(412, {"error": {"code": 412, "message": "conditionNotMet"}})
        return
      now = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
      self.server.objects[name] = (data, now)
      self.server.changed[name] = time.monotonic()
      self.server.changes[name] += 1
    self._answer(200, self._metadata(name))

  def do_GET(self):
    url = urllib.parse.urlsplit(self.path)
    query = dict(urllib.parse.parse_qsl(url.query))
    match = re.fullmatch(r"(/download)?/storage/v1/b/bucket(/o(/(?P<name>.*))?)?/?", url.path)
    name = urllib.parse.unquote(match["name"] or "")
    if name and name not in self.server.objects:
      self._answer(404, {"error": {"code": 404, "message": "No such object"}})
    elif name and query.get("alt") == "media":
      self._answer(200, self.server.objects[name][0])
    elif name:
      self._answer(200, self._metadata(name))
    elif "/o" in url.path:
      self._answer(200, self._list(query.get("prefix", ""), query.get("delimiter")))
    else:
      self._answer(200, {"name": "bucket"})

  def do_DELETE(self):
    name = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path.rsplit("/o/", 1)[1])
    found = self.server.objects.pop(name, None)
    self._answer(404 if found is None else 204, {} if found is None else b"")

  def _list(self, prefix, delimiter):
    names = [name for name in sorted(self.server.objects) if name.startswith(prefix)]
    ends = {name: name.find(delimiter, len(prefix)) if delimiter else -1 for name in names}
    items = [self._metadata(name) for name in names if ends[name] < 0]
    folders = sorted({name[: end + 1] for name, end in ends.items() if end >= 0})
    return {"items": items, "prefixes": folders}

  def _metadata(self, name):
    data, written = self.server.objects[name]
    return {"name": name, "size": str(len(data)), "updated": written, "generation": "1"}

  def _answer(self, status, content):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    self.send_response(status)
    self.send_header("Content-Length", str(len(body)))
    self.end_headers()
    self.wfile.write(body)

  def log_message(self, *arguments):
    del arguments


class _Server(http.server.ThreadingHTTPServer):
  def handle_error(self, request, client_address):
    """Clients are killed now and then."""


@contextlib.contextmanager
def serve():
  """A server of gs://bucket.

  It has `objects` by name, how often each was uploaded as `changes`, `failures`, statuses of the
  next uploads, a `pause`, the seconds for which an object that was changed refuses another, and how
  often it `refused` one.
  """
  with _Server(("localhost", 0), _Handler) as server:
    server.objects, server.failures, server.lock = {}, [], threading.Lock()
    server.changed, server.changes, server.pause = {}, collections.Counter(), 0.0
    server.refused = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
