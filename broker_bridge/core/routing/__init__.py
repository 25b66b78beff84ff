"""Policies of the router, one file each, loaded by name: who is asked to take a conversation."""
