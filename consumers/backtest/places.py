"""Whether results can be written where they are to go: found out before hours of learning."""

import tempfile
from pathlib import Path

from model.errors import ConfigError


def check_report(path: Path) -> None:
    """Open the report's file as it will be opened, and leave it as it was.

    Raises:
        ConfigError: it is a folder, lies in none, is a link to nothing, or cannot be written.
    """
    try:
        if not path.parent.is_dir():
            raise ConfigError(f"--report is {path}: there is no folder {path.parent}")
        if path.is_dir():
            raise ConfigError(f"--report is {path}, a folder: give a file")
        new = not path.exists()
        if new and path.is_symlink():
            # To try it would make the file that it names, and then take the link away.
            raise ConfigError(
                f"--report is {path}, a link to {path.readlink()}, which is not there: "
                "give the file itself"
            )
        # A pipe or a terminal is not tried: to open one may wait for its reader, or end it.
        if new or path.is_file():
            path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise ConfigError(f"--report is {path}: cannot be written: {_why(error)}") from error


def check_plots(folder: Path) -> None:
    """Make the folder of the pictures where it lacks, and write into it.

    Raises:
        ConfigError: it is a file, cannot be made, or takes no file.
    """
    try:
        if folder.exists() and not folder.is_dir():
            raise ConfigError(f"--plots is {folder}, a file: give a folder")
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(f"--plots is {folder}: cannot be written: {_why(error)}") from error


def _why(error: OSError) -> str:
    return error.strerror or str(error)
