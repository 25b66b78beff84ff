"""Words that no log may hold: put them where a customer's words, addresses and secrets go, then look for them in everything written.

Use: `CANARY.text` in messages, `CANARY.address` as an address, `CANARY.secret` as a password or seed; at the end
`assert CANARY.found_in(log) == []`. A canary is looked for in the spellings that a log would give it by accident.
"""

from __future__ import annotations

import base64
import json
import quopri
import urllib.parse
from dataclasses import dataclass


@dataclass(frozen=True)
class Canary:
    """One bird: three words that occur nowhere else."""

    text: str = "Zwitscherkanarie 41c7"
    address: str = "zwitscher.41c7@kanarie.example"
    secret: str = "zwitscher-geheim-41c7"

    def found_in(self, written: str | bytes) -> list[str]:
        """Which words were written, and how they were spelled; empty: none."""
        data = written.encode("utf-8", "surrogateescape") if isinstance(written, str) else written
        low = data.lower()
        return [
            f"{word!r} {spelling}"
            for word in (self.text, self.address, self.secret)
            for spelling, form in _spellings(word).items()
            if form.lower() in low
        ]


def _spellings(word: str) -> dict[str, bytes]:
    raw = word.encode()
    # Base64 depends on where in a text the word stands: three phases, without the ends that the neighbors change.
    phases = {f"in base64 at {at}": base64.b64encode(b"\0" * at + raw)[4 if at else 0 : -4] for at in range(3)}
    return {
        "as it is": raw,
        "in JSON": json.dumps(word)[1:-1].encode(),
        "in a URL": urllib.parse.quote(word, safe="").encode(),
        "in a form": urllib.parse.quote_plus(word).encode(),
        "in hexadecimal": raw.hex().encode(),
        "in quoted-printable": quopri.encodestring(raw, quotetabs=True),
        **phases,
    }


CANARY = Canary()
