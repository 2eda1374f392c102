"""A local stand-in for the service, on real HTTP, 127.0.0.1 only.

It verifies signatures, holds flows and their states, enforces the quota, makes scripted trouble, and keeps a ledger
of every call. Begin with `flowreaper.sandbox.server`; `flowreaper.sandbox.api` is a request's way. May be imported
here: it judges the client, so nothing of it but signing and messages; nothing of store and stages; model, errors,
events, escaping.
"""

from flowreaper.sandbox.options import CREDENTIALS, SandboxOptions
from flowreaper.sandbox.server import Sandbox

__all__ = ["CREDENTIALS", "Sandbox", "SandboxOptions"]
