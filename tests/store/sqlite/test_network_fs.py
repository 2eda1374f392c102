"""Which file system a path is on."""

from pathlib import PurePosixPath

import pytest

from flowreaper.store.sqlite.network_fs import network_type_at, type_at

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw,relatime shared:2 master:1 - nfs4 nas:/srv rw,vers=4.2
31 30 8:2 / /srv/local rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/with\\040blank rw - cifs //nas/share rw
33 22 0:42 / /twice rw - ext4 /dev/sdc1 rw
34 22 0:43 / /twice rw - fuse.sshfs me@nas: rw
35 22 0:44 / /tmp rw - tmpfs tmpfs rw
a line of another kernel
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/ids.txt.ckpt", "ext4"),
        ("/srv/me/ids.txt.ckpt", "nfs4"),
        ("/srvless/ids.txt.ckpt", "ext4"),
        ("/srv/local/ids.txt.ckpt", "xfs"),
        ("/mnt/with blank/ids.txt.ckpt", "cifs"),
        ("/twice/ids.txt.ckpt", "fuse.sshfs"),
    ],
)
def test_the_deepest_and_last_mount_that_holds_the_path_counts(path: str, kind: str) -> None:
    assert type_at(MOUNTS, PurePosixPath(path)) == kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/srv/me/x", "nfs4"), ("/twice/x", "fuse.sshfs"), ("/srv/local/x", ""), ("/tmp/x", ""), ("/x", "")],  # noqa: S108 -- only parsed
)
def test_only_file_systems_of_a_network_are_named(path: str, kind: str) -> None:
    assert network_type_at(MOUNTS, PurePosixPath(path)) == kind


@pytest.mark.parametrize("text", ["", "\n", "1 2 3 4 /\n", "1 2 3 4 / rw\n", " - \n"])
def test_without_a_mount_that_holds_the_path_the_type_is_unknown(text: str) -> None:
    assert type_at(text, PurePosixPath("/x")) == ""
