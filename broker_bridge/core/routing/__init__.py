"""Routing policies: one file a policy, and no policy knows another."""
