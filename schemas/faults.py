"""What was wrong with a value, in words that stay short however wrong it is."""

from pydantic import ValidationError

MAX_DETAIL_CHARS = 500
MOST_FAULTS = 100


def told(error: ValidationError) -> str:
    """The faults of a value, cut to `MAX_DETAIL_CHARS`, without the value itself.

    A value of a megabyte may have a hundred thousand faults; those are only counted.
    """
    if error.error_count() > MOST_FAULTS:
        return f"{error.error_count()} faults"
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    lines = (f"{'.'.join(map(str, fault['loc'])) or 'value'}: {fault['msg']}" for fault in faults)
    return "; ".join(lines)[:MAX_DETAIL_CHARS]
