"""`agent-tui demo`: a whole contact center on this machine, with customers who write.

Law: everything in it is the product: a real bridge with its broker, agents who sign in with keys, customers over the
web chat's socket and over SMTP. Only the people are scripted. It ends with the window, however that ends.
"""

from agent_tui.demo.start import run

__all__ = ["run"]
