"""A server whose certificate cannot be trusted gets nothing, and nothing can talk the command out of that."""

import asyncio
import datetime as dt
import re
import ssl

import click
import pytest
import trustme

from flowreaper.cli import cli
from flowreaper.sandbox import CREDENTIALS, Sandbox, SandboxOptions
from tests.end_to_end.command import Command, Finished

AUTHORITY = trustme.CA()
YESTERDAY = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)


async def delete_from(certificate: trustme.LeafCert, command: Command, *words: str) -> tuple[Finished, int]:
    """Run the command against a server with this certificate; return how many calls it met."""
    AUTHORITY.cert_pem.write_to_path(str(command.folder / "ca.pem"))
    command.write("flows.txt", "346699123", "346699124")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    async with Sandbox(SandboxOptions(window="none"), ssl_context=context) as sandbox:
        environment = {
            "FLOWREAPER_ENDPOINT": sandbox.url,
            "FLOWREAPER_STS_ENDPOINT": sandbox.url,
            "ALIBABA_CLOUD_ACCESS_KEY_ID": CREDENTIALS.access_key_id,
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": CREDENTIALS.access_key_secret,
            "SSL_CERT_FILE": str(command.folder / "ca.pem"),
        }
        return await asyncio.to_thread(
            command.delete, *words, "flows.txt", env=environment
        ), sandbox.ledger.total


async def test_a_certificate_of_the_authority_in_ssl_cert_file_is_trusted(bare: Command) -> None:
    finished, _ = await delete_from(AUTHORITY.issue_cert("127.0.0.1"), bare)
    assert finished.status == 0
    assert bare.states("flows.txt.ckpt") == {"deleted": 2}


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (trustme.CA().issue_cert("127.0.0.1"), "certificate verify failed"),
        (AUTHORITY.issue_cert("127.0.0.1", not_after=YESTERDAY), "certificate has expired"),
        (AUTHORITY.issue_cert("elsewhere.test"), "IP address mismatch"),
    ],
    ids=["untrusted", "expired", "another host's"],
)
async def test_a_certificate_that_cannot_be_trusted_stops_the_run_before_anything_is_sent(
    bare: Command, certificate: trustme.LeafCert, why: str
) -> None:
    finished, calls = await delete_from(certificate, bare, "--no-identity")
    assert finished.status == 3
    (stopped,) = (line for line in finished.told if line.startswith("Stopped: "))
    assert "cannot be trusted" in stopped
    assert why in stopped
    assert "SSL_CERT_FILE" in stopped
    assert calls == 0
    assert bare.states("flows.txt.ckpt") == {"pending": 2}


async def test_an_sts_whose_certificate_cannot_be_trusted_stops_the_run_before_it_has_a_checkpoint(
    bare: Command,
) -> None:
    finished, calls = await delete_from(trustme.CA().issue_cert("127.0.0.1"), bare)
    assert (finished.status, calls) == (3, 0)
    assert "cannot be trusted" in finished.err
    assert not (bare.folder / "flows.txt.ckpt").exists()


def test_no_option_turns_the_verification_off() -> None:
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in cli.list_commands(context)]
    parameters = [parameter for command in commands if command for parameter in command.params]
    options = [word for parameter in parameters for word in parameter.opts + parameter.secondary_opts]
    assert "--endpoint" in options
    assert [word for word in options if re.search("ssl|tls|cert|verif|insecure|trust", word)] == []
