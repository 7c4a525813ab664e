"""A card that tries what a card must not, and items to look at in a table."""

import struct
import zlib
from datetime import date
from html import escape

from metaflow import FlowSpec, Parameter, card, current, step
from metaflow.cards import Markdown
from metaflow_airflow import lineage

# What each attempt comes to is written into the card's own page. (A script in it would not run.)
# It runs as a handler, in whose scope `open` would be the document's.
_SCRIPT = """
const say = (name, text) => {
  const line = document.createElement("li");
  line.id = name;
  line.textContent = text;
  document.body.append(line);
};
const attempt = async (name, what) => {
  try { say(name, "DONE " + JSON.stringify(await what())); }
  catch (error) { say(name, "refused: " + error.name); }
};
(async () => {
  await attempt("origin", () => self.origin === "null" ? Promise.reject(new Error()) : self.origin);
  await attempt("cookies", () => document.cookie);
  await attempt("storage", () => localStorage.length);
  await attempt("api", async () => (await fetch("/api/v2/dags", {credentials: "include"})).status);
  await attempt("frame", () => parent.document.title);
  await attempt("popup", () => {
    if (!window.open("/api/v2/dags")) throw new Error();
    return "opened";
  });
  await attempt("top", () => {
    if (top === self) throw new Error();
    top.location = "/hostile-was-here";
    return "sent";
  });
  say("ended", "all tried");
})();
"""
_HTML = f'<img alt="" src="data:," onerror="{escape(_SCRIPT)}">'


def png() -> bytes:
    """A red dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


class Hostile(FlowSpec):
    """Its card trusts nobody, and nobody trusts it."""

    city = Parameter("city", default="New York")

    @card(type="blank")
    @step
    def start(self):
        current.card.append(Markdown(_HTML))
        lineage.read("s3://features/<script>")
        lineage.wrote(f"metaflow://{current.flow_name}/{current.run_id}")
        self.picture = png()
        self.rows = [{"name": "a", "count": 1}, {"name": "b", "count": 2}]
        self.code = date(2024, 1, 31)  # what only running code can load
        self.boroughs = ["Bronx", "Brooklyn", "{{ 7 * 7 }}"]
        self.next(self.measure, foreach="boroughs")

    @step
    def measure(self):
        self.metrics = {"letters": len(self.input)}
        print(f"measured {self.input}")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(each.metrics["letters"] for each in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Hostile()
