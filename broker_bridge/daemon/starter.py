"""What `broker-bridge init` writes: a bridge.toml that works as it is, and an example of a systemd unit."""

UNIT_NAME = "onewindow-bridge.service"

CONFIG = """\
# bridge.toml: one file says everything about this bridge. Lines with # are defaults or examples.
# Try it with `broker-bridge check`, start it with `broker-bridge run`.
#
# Passwords never stand here, only where they are:
#   keyring:service/name   the system's keyring; where there is none: the service's credential `name`,
#                          then the file secrets/name beside this file, then the variable ONEWINDOW_NAME
#   credential:name        systemd's LoadCredential
#   file:path              a file that only its owner may read (chmod 600), relative to this one
#   env:NAME               a variable

[site]
name = "My shop"
# language = "en"               # of the texts that customers see
# state_dir = "state"           # the log, the keys and the index; default: the user's or the service's state folder
# key = "keyring:onewindow/site-key"   # several bridges of one site need the same; default: made at the first start

[broker]
mode = "embedded"               # the bridge starts its own nats-server
# host = "127.0.0.1"            # 0.0.0.0: agents on other machines reach it
# port = 4222                   # 0: a free one
# public_url = "tls://desk.example:4222"   # how terminals reach it, if not by host and port
# ca = "ca.pem"                 # what terminals trust there, if not the system's certificates
# max_store_gib = 10            # disk for everything that is kept
# store_key = "keyring:onewindow/store-key"   # encrypts the disk of the embedded server
#
# A cluster of your own instead; `check` says what is to be put into its configuration:
# mode = "external"
# url = "tls://nats-1.example:4222,tls://nats-2.example:4222"
# seed = "keyring:onewindow/bridge-seed"
# replicas = 3
# allow_unsynced = false        # true: a power cut may lose messages that were acknowledged

[web]
host = "127.0.0.1"              # web chat, webhooks, health and metrics; put a TLS proxy before it
port = 8480                     # 0: a free one
# public_url = "https://chat.example"

# What stands in [desk], [[queue]] and [[agent]] counts as soon as the file is saved (or at SIGHUP); the rest at the next start.
# If it is wrong, the last good policy stays in force, and `check` and the supervisors' alerts say what and where.
[desk]
# What a case is closed as; the first is the usual one. With fields: { name = "sold", fields = ["order number"] }
dispositions = ["solved", "answered", "passed on", "no answer needed", "spam"]
offer_timeout_s = 20            # how long an offer rings before the next agent is asked
silent_grace_s = 300            # when unanswered work of a vanished terminal goes back to its queue; 0: never
# offers = true                 # false: agents take from the queue themselves
# reasons = ["break", "lunch", "training", "meeting"]   # of being away
# skills = ["swedish", "fees"]  # every skill that there is
# What a conversation takes of an agent, who carries 100; idle_counts: also while it waits for its customer
# costs = { webchat = 20, email = { units = 10, idle_counts = false } }

[[queue]]
name = "support"                # letters, digits, - and _
title = "Support"
reply_within_s = 3600           # the target for an answer
service_level = 0.8             # the share of answers that should meet it
# priority = 5                  # 1 (first) to 9
# mode = "evenly"               # in_order (with order = ["maya", "ole"]), or everybody: all ring, the first accept wins
# needs = ["swedish 3", "fees"] # skills with their least level, 1 to 5
# hours = { zone = "Europe/Stockholm", mon-fri = "08:00-12:00, 13:00-18:00", sat = "10:00-14:00" }   # of offers, not of messages
# holidays = ["se.ics"]         # iCalendar files beside this one
# away_reply = "We are back at eight."   # told once to who writes out of hours
# overflow = [{ after_s = 60, widen = 1 }, { after_s = 300, alarm = "Support waits" }, { after_s = 600, queue = "sales" }]
# affinity_s = 30               # waits so long for who knows the customer; 0: not at all
# responsible_first = true      # the customer's own colleague before who was last
# offer_s = 20                  # instead of offer_timeout_s
# auto_accept = ["webchat"]     # channel kinds whose offers the machine accepts
# target = [{ priority = 1, first_reply = "5m", next_reply = "15m", resolution = "4h" }]   # in the queue's hours
# pauses = ["waiting", "snoozed"]        # when the clock of the resolution stands still
# warn_share = 0.25             # warns when that share of a target is left
# wrap_up = "optional"          # none, optional, mandatory, or timed: the default after wrap_up_s
# wrap_up_s = 60
# default_disposition = "solved"

# [[queue]]
# name = "sales"

# Agents are let in by `broker-bridge agent add`; what they know and carry may stand here
# [[agent]]
# id = "ole"
# name = "Ole Nilsen"
# role = "agent"                # supervisor, admin
# queues = ["support", "sales"] # none: every queue
# skills = ["swedish 4", "fees"]
# units = 100
# shift = { zone = "Europe/Stockholm", mon-fri = "08:00-16:30" }   # outside it nothing is given; none: whenever ready

[[channel]]
name = "site-chat"
kind = "webchat"
queue = "support"
reply_within_s = 60
# is_enabled = true

[channel.settings]
title = "Chat with us"
# origins = ["https://shop.example"]   # sites that may embed the widget
# greeting = "Hello! How can we help?"

[log]
level = "info"                  # debug, info, warning, error
format = "text"                 # json: one object a line
"""

UNIT = """\
# An example: copy to /etc/systemd/system/, adapt the path of broker-bridge, then
#   systemctl enable --now onewindow-bridge
[Unit]
Description=onewindow bridge: every channel of the contact center
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart=/usr/local/bin/broker-bridge run --config /etc/onewindow/bridge.toml
# Queues, agents and the house are read again by `systemctl reload onewindow-bridge`
ExecReload=/bin/kill -HUP $MAINPID
DynamicUser=yes
StateDirectory=onewindow-bridge
# Each secret is a file of root's; in bridge.toml it is `credential:mail-password` or `keyring:onewindow/mail-password`.
# LoadCredential=mail-password:/etc/onewindow/mail-password
WatchdogSec=30
Restart=on-failure
RestartSec=2
# 78: the configuration is wrong, 77: not permitted. Starting again would not help.
RestartPreventExitStatus=77 78
KillSignal=SIGTERM
# The embedded broker is the bridge's child and is stopped by it, in order.
KillMode=mixed
TimeoutStartSec=180
TimeoutStopSec=30

NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
LockPersonality=yes
UMask=0077
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""
