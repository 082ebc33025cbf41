"""Who runs a command, for what is written down of it."""

import getpass


def this_user() -> str:
    """The name of the user; `unknown` in a container without a user database."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
