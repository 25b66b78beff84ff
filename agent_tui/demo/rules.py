"""The demo's bridge.toml: a bank's front office with most of what a house can rule. Pure: the clock is an argument.

Law: whenever the demo is started, the queues that people write to are open, and lunch is hours away.
"""

from __future__ import annotations

from datetime import datetime, time

OURS = "support@nordbank.example"
GRACE_S = 20
"""After which a vanished terminal's unanswered work goes back; short, so that it can be watched."""
_LUNCH = (time(12, 0), time(12, 30))
_LATE_LUNCH = (time(18, 0), time(18, 30))
_MORNING_ENDS = time(9, 0)

CONFIG = """\
# The demo's bridge. Try: broker-bridge audit --config {config}   (while it runs)
[site]
name = "Nordbank"
state_dir = "state"

[broker]
port = 0

[web]
port = {web_port}

[desk]
dispositions = [
  "solved", "answered", "passed on",
  {{ name = "refunded", fields = ["order", "amount"] }},
  "no answer needed", "spam",
]
offer_timeout_s = 20
silent_grace_s = {grace_s}      # unanswered work of a terminal that vanished goes back to its queue
reasons = ["coffee", "lunch", "on the phone", "training"]
skills = ["cards", "accounts", "disputes", "complaints"]
# An agent carries 100 units. Whoever waits for an answer by mail takes none.
costs = {{ voice = 100, webchat = 20, email = {{ units = 10, idle_counts = false }} }}

[[queue]]
name = "cards"
title = "Cards and accounts"
mode = "evenly"
needs = ["cards 2"]
hours = {{ zone = "{zone}", mon-sun = "00:00-{lunch}, {after}-24:00" }}
affinity_s = 15                 # who talked with the customer last is waited for
wrap_up = "timed"
wrap_up_s = 45
default_disposition = "answered"
away_reply = "Thank you, your message is with us. We are at lunch and back at {after}."

[[queue.target]]
first_reply = "90s"
next_reply = "2m"
resolution = "30m"
[[queue.overflow]]
after_s = 40
widen = 1
[[queue.overflow]]
after_s = 120
alarm = "waits two minutes for somebody"

[[queue]]
name = "mail"
title = "Mail"
hours = {{ zone = "{zone}", mon-sun = "00:00-{lunch}, {after}-24:00" }}
wrap_up = "optional"

[[queue.target]]
first_reply = "5m"
next_reply = "5m"
resolution = "4h"

[[queue]]
name = "complaints"
title = "Complaints"
priority = 2
mode = "in_order"
order = ["priya", "maya"]
needs = ["complaints 3"]
wrap_up = "mandatory"

[[queue.target]]
first_reply = "2m"
next_reply = "2m"
[[queue.overflow]]
after_s = 60
widen = 2

# Closed today: what is passed to it waits there, and the board says until when.
[[queue]]
name = "loans"
title = "Loans"
hours = {{ zone = "{zone}", {opens} = "08:00-17:00" }}
away_reply = "Thank you, our loan desk answers you when it opens."

[[queue.target]]
first_reply = "1h"

[[channel]]
name = "site-chat"
kind = "webchat"
queue = "cards"

[channel.settings]
title = "Nordbank"
greeting = "Hello! You are a customer of the demo now. Write something, and look at the other window."
# All customers of the demo come from this machine.
sockets_per_address = 60
address_says_burst = 100

[[channel]]
name = "support-mail"
kind = "email"
queue = "mail"

[channel.settings]
address = "{ours}"
name = "Nordbank"
signature = "{{agent}}\\nNordbank, cards and accounts"

[channel.settings.listen]
port = {smtp_port}

[channel.settings.smtp]
host = "127.0.0.1"
port = {office_port}
tls = "none"
"""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def config(*, path: str, now: datetime, zone: str, web_port: int, smtp_port: int, office_port: int) -> str:
    """The file's text. `now`: the wall in `zone`; `zone`: its IANA name."""
    begins, ends = _LUNCH if not _MORNING_ENDS <= now.time() < _LUNCH[1] else _LATE_LUNCH
    return CONFIG.format(
        config=path,
        grace_s=GRACE_S,
        zone=zone,
        lunch=f"{begins:%H:%M}",
        after=f"{ends:%H:%M}",
        # From the day after tomorrow on: a demo that begins before midnight does not see it open.
        opens=DAYS[(now.weekday() + 2) % 7],
        ours=OURS,
        web_port=web_port,
        smtp_port=smtp_port,
        office_port=office_port,
    )
