"""A sandbox that speaks https: ``python -m tests.benchmarks.tls_sandbox FOLDER``.

Its authority's certificate is written to FOLDER/authority.pem. It prints what ``flowreaper sandbox`` prints.
"""

import asyncio
import ssl
import sys
from pathlib import Path

import trustme

from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions

AUTHORITY = "authority.pem"


async def serve(folder: Path) -> None:
    """Serve without quota and latency until killed."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / AUTHORITY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with Sandbox(SandboxOptions(window="none"), ssl_context=context) as sandbox:
        sys.stdout.write(
            f"export FLOWREAPER_ENDPOINT={sandbox.url}\n"
            f"export ALIBABA_CLOUD_ACCESS_KEY_ID={CREDENTIALS.access_key_id}\n"
            f"export ALIBABA_CLOUD_ACCESS_KEY_SECRET={CREDENTIALS.access_key_secret}\n"
        )
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
