"""A local stand-in for the service, on real HTTP, 127.0.0.1 only.

It verifies signatures, holds flows and their states, enforces the quota, makes scripted trouble, and keeps a
ledger of every call. It judges the client, so it knows nothing of it.
"""

from flowreaper.sandbox.options import CREDENTIALS, SandboxOptions
from flowreaper.sandbox.server import Sandbox

__all__ = ["CREDENTIALS", "Sandbox", "SandboxOptions"]
