"""Web chat: a page and a widget for browsers, one socket a tab, every message stored before it is acknowledged."""
