"""Servers for the live half of the mail channel."""

from tests.servers.dovecot import dovecot

__all__ = ["dovecot"]
