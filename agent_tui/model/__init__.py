"""Pure: rows, sorting, formatting, safe text, drafts. No textual, no nats, no clock."""
