"""Numbers of things, as a person would say them."""


def counted(number: int, noun: str) -> str:
    """`1 record`, `2 records`: of nouns whose plural ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
