"""E-mail: in by IMAP or by SMTP, out by submission, every mail stored before it is acknowledged.

`mime`, `html`, `quotes`, `references`, `automatic`, `bounces`, `compose` and `meaning` are the pure half.
"""

from broker_bridge.channel import Site
from broker_bridge.channels.email.connection import CAPABILITIES, Email
from broker_bridge.channels.email.describe import describe
from broker_bridge.channels.email.settings import MailSettings as Settings

__all__ = ["CAPABILITIES", "Settings", "describe", "make"]


def make(name: str, settings: Settings, site: Site) -> Email:
    """The e-mail channel called `name` in the configuration."""
    return Email(name, settings, site)
