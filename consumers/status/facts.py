"""What `freshet status` says, as facts: printed as a table, or as JSON for programs."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from schemas.base import Count

Role = Literal["windows", "train", "serve"]


class _Fact(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Group(_Fact):
    """The consumer group of a role, and how far it is behind the topic that it reads."""

    role: Role
    name: str
    members: Count
    topic: str
    lag: Count
    """Records behind the committed offset. The windows role's are those of its open windows."""
    oldest_at: AwareDatetime | None
    """When the oldest of them was appended."""


class Gathered(_Fact):
    """Records of a task that no window has yet."""

    records: Count
    since: AwareDatetime
    """When the oldest was appended."""
    more: bool = False
    """There are more: so many were looked at."""


class Waiting(_Fact):
    """Windows of a task that no round has learned yet."""

    windows: Count
    records: Count
    since: AwareDatetime
    """When the oldest closed."""


class Pause(_Fact):
    """Who paused a task, and why."""

    who: str
    why: str
    since: AwareDatetime


class Answers(_Fact):
    """Which version the newest prediction names."""

    version: Count
    at: AwareDatetime


class Round(_Fact):
    """The last entry of a lineage."""

    sequence: Count
    kind: str
    outcome: str
    reason: str
    at: AwareDatetime


class Attempt(_Fact):
    """Files of a round that has no entry yet: it is being written, or was abandoned."""

    name: str
    since: AwareDatetime


class Task(_Fact):
    """One task."""

    task: str
    serves: Count | None = None
    """The version that serves after the last round."""
    serves_since: AwareDatetime | None = None
    last: Round | None = None
    rejected_in_a_row: Count = 0
    forgotten_in_encoder: bool = False
    """Whether the encoder that serves may have been tuned on what is denied."""
    attempt: Attempt | None = None
    refresh_asked: AwareDatetime | None = None
    """When somebody asked for a refresh that is still to be done; None too where the lineage cannot
    tell."""
    gathered: Gathered | None = None
    waiting: Waiting | None = None
    paused: Pause | None = None
    answers: Answers | None = None


class HeldText(_Fact):
    """The first text of a partition that has no answer yet; those behind it wait too."""

    task: str
    place: str
    """`topic/partition`."""
    since: AwareDatetime
    """When it was appended."""
    behind: Count
    """Texts behind it."""


class Wrong(_Fact):
    """Something that a person should look at."""

    what: Literal[
        "broker_silent",
        "store_silent",
        "lineage_damaged",
        "topic_missing",
        "no_member",
        "stalled",
        "held",
        "dead_letters",
        "rejected_in_a_row",
        "older_version_answers",
        "forgotten_in_encoder",
        "paused",
    ]
    where: str
    """A role, topic or task."""
    detail: str


class Status(_Fact):
    """All of it."""

    at: AwareDatetime
    broker: str
    store: str
    tasks: tuple[Task, ...] = ()
    groups: tuple[Group, ...] = ()
    first_texts: tuple[HeldText, ...] = ()
    """Where each partition of `texts` goes on."""
    missing_topics: tuple[str, ...] = ()
    dead_letters: dict[str, Count] = {}
    """Records that were set aside since `dead_letters_since`, by topic of their letters."""
    dead_letters_since: AwareDatetime | None = None
    faults: tuple[Wrong, ...] = ()
    """What could not be looked at."""
    wrong: tuple[Wrong, ...] = ()
    """Everything that a person should look at, `faults` among it."""
