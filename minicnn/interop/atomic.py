"""Files that are written whole or not at all."""

import errno
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_files(contents: Mapping[str | os.PathLike[str], bytes]) -> None:
    """Write several files so that a crash, a full disk or Ctrl-C never damages an earlier one.

    Everything goes to temporary files in the same folders first and reaches the disk; only then do they take
    the place of the files named, one after the other, with the permissions these had.

    Parameters
    ----------
    contents : mapping of path to bytes
        What each file is to hold.

    Raises
    ------
    OSError
        A file cannot be written; the error names it, and it is as it was. So are all others, unless the
        system refuses to put a finished file in its place.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            target = Path(os.path.realpath(path))  # through a symbolic link: it stays one
            part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
            parts[part] = target
            try:
                check_replaceable(target)
                with open(part, "xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                if target.exists():
                    shutil.copymode(target, part)
            except OSError as error:
                message = f"cannot write the file, nothing was changed: {error.strerror or error}"
                raise OSError(error.errno, message, os.fspath(path)) from error
        for part, target in parts.items():
            try:
                os.replace(part, target)
            except OSError as error:
                message = f"cannot put the finished file in its place: {error.strerror or error}"
                raise OSError(error.errno, message, os.fspath(target)) from error
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)


def check_replaceable(target: Path) -> None:
    """Raise OSError if the target is a folder, a device or a pipe, or may not be written."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.exists() and not target.is_file():
        raise OSError(errno.EINVAL, "it is a device or a pipe, not a regular file")
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
