"""Files that are written whole or not at all."""

import errno
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_files(contents: Mapping[str | os.PathLike[str], bytes]) -> None:
    """Write several files so that a crash, a full disk or Ctrl-C never damages the earlier ones.

    Everything goes to temporary files in the same folders first and reaches the disk; only then do they take
    the place of the files named.

    Parameters
    ----------
    contents : mapping of path to bytes
        What each file is to hold.

    Raises
    ------
    OSError
        A file cannot be written; the error names it, and every earlier file is as it was.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, content in contents.items():
            target = Path(os.path.realpath(path))  # through a symbolic link: it stays one
            part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
            parts[part] = target
            try:
                if target.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                with open(part, "xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                message = f"cannot write the file, nothing was changed: {error.strerror or error}"
                raise OSError(error.errno, message, os.fspath(path)) from error
        for part, target in parts.items():
            os.replace(part, target)
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink(missing_ok=True)
