"""Which file system a path is on, read out of Linux's list of mounts. Pure; opens nothing."""

import re
from pathlib import PurePath, PurePosixPath

NETWORK = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "davfs",
        "fuse.cephfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb3",
        "smbfs",
        "virtiofs",
    }
)
"""File systems whose locks and shared memory other machines may not see, as SQLite's WAL needs them."""

_OCTAL = re.compile(r"\\([0-7]{3})")


def type_at(mountinfo: str, path: PurePath) -> str:
    """Return the type of the file system that an absolute path without links is on; empty if unknown.

    Source of the format: proc(5), ``/proc/[pid]/mountinfo``. Of the mounts that hold the path the deepest
    counts, of several at one point the last.
    """
    found, depth = "", 0
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        words = before.split(" ")
        if len(words) < 5 or not after:  # noqa: PLR2004 -- the mount point is the fifth
            continue
        point = PurePosixPath(_OCTAL.sub(lambda octal: chr(int(octal[1], 8)), words[4]))
        if len(point.parts) >= depth and path.is_relative_to(point):
            found, depth = after.split(" ", 1)[0], len(point.parts)
    return found


def network_type_at(mountinfo: str, path: PurePath) -> str:
    """Return the type as `type_at` where it is one of a network or a cluster, else an empty text."""
    found = type_at(mountinfo, path)
    return found if found in NETWORK else ""
