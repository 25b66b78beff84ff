"""The whole bridge in one process, on a broker in memory, in virtual time: a seed is a history, and a history can be had again.

Law: clerk, log writer, intake, router, desk, dispatch, follower, feeds and leases are the bridge's own classes, unchanged. What they are
given is made here: the broker, the clock, the dice, customers, agents and providers. The same seed gives the same history.
"""
