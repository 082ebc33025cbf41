"""What `freshet forget` says: what was done, and honestly what still holds what was forgotten."""

from collections.abc import Iterator, Sequence

from consumers.forget import Forgotten

MOST_PLACES = 5
"""Places in the log that are named one by one."""


def told(
    task: str, done: Forgotten, *, dry_run: bool, refresh: bool, named: bool = True
) -> Iterator[str]:
    """The lines for a person.

    Args:
        task: its name.
        done: what came of it.
        dry_run: nothing was written.
        refresh: whether a refresh was wanted.
        named: whether a record or text was; else only a refresh was wanted.
    """
    if named:
        yield from _about(task, done, dry_run=dry_run)
    yield from _refresh(task, done, dry_run=dry_run, refresh=refresh)
    if done.unannounced is not None:
        yield (
            f"not announced ({done.unannounced}): the train role announces it with its next "
            "round, until then followers serve the version before"
        )


def _about(task: str, done: Forgotten, *, dry_run: bool) -> Iterator[str]:
    yield _headline(task, done, dry_run=dry_run)
    traces = done.traces
    yield f"learned by: {_versions(traces.learned_by)}"
    tuned = ", ".join(f"{digest[:12]}" for digest in traces.encoders)
    yield f"encoders that may have been tuned on it: {tuned or 'none'}" + (
        f" (of {_versions(traces.tuned)})" if tuned else ""
    )
    yield from _still_held(done)


def _headline(task: str, done: Forgotten, *, dry_run: bool) -> str:
    traces, entry = done.traces, done.entry
    counts = (
        f"{len(traces.counted)} subtracted, {traces.num_held_out} no longer held out, "
        f"{traces.num_remembered} no longer remembered"
    )
    if dry_run:
        return f"{task}: nothing written; would be: {counts}"
    if entry is None:
        return f"{task}: denied before; nothing to do"
    serves = "a new version, which serves" if entry.version else "the head is unchanged"
    return f"{task}: forgotten with entry {entry.sequence}, {serves}; {entry.evaluation.reason}"


def _still_held(done: Forgotten) -> Iterator[str]:
    traces = done.traces
    yield "what still holds it:"
    places = [f"{topic}/{partition}/{offset}" for topic, partition, offset in traces.places]
    more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
    if places:
        yield (
            f"  the log at {', '.join(places[:MOST_PLACES])}{more}, until the topic's retention "
            "deletes it (`labeled-texts` has none unless you set one); no role learns it from there"
        )
    if traces.files:
        size = sum(file.size_bytes for file in traces.files) / 1e6
        yield (
            f"  up to {len(traces.files)} files of earlier rounds ({size:.1f} MB: memories, "
            "journals, statistics, heads), until `freshet models prune` removes those that "
            "the task's `retention` keeps no longer; a rollback to one of them solves its head anew"
        )
    if not traces:
        yield (
            "  perhaps the statistics, if it was learned so long ago that no journal tells of it: "
            "the next refresh computes them without it"
        )
    if traces.num_unsure:
        yield (
            f"  perhaps the statistics: {traces.num_unsure} records came before what is known one "
            "by one; only a refresh computes the statistics without them"
        )
    if traces.num_pruned:
        yield (
            f"  perhaps statistics and encoder: the journals of {traces.num_pruned} earlier rounds "
            "were pruned, so that nothing tells whether these learned it"
        )
    yield "  dead letters, caches and backups, of which the lineage knows nothing"


def _refresh(task: str, done: Forgotten, *, dry_run: bool, refresh: bool) -> Iterator[str]:
    if not done.owes_refresh:
        if refresh and done.traces.num_pruned:
            yield (
                "no refresh: no kept round was tuned on anything that is denied; of the "
                f"{done.traces.num_pruned} whose journals were pruned nobody knows"
            )
        elif refresh:
            yield "no refresh: the encoder that serves was not tuned on anything that is denied"
    elif dry_run:
        yield (
            "the encoder that serves may have been tuned on what then is denied: --refresh fits "
            "one from before"
        )
    elif done.asked:
        yield f"the train role is asked for a refresh without it; see `freshet models list {task}`"
    elif done.unasked is not None:
        yield f"the train role could not be asked for a refresh: {done.unasked}; ask again"
    else:
        yield (
            "the encoder that serves may have been tuned on what is denied: --refresh has one "
            "fitted from before it was"
        )


def _versions(sequences: Sequence[int]) -> str:
    """Runs of numbers: `versions 0-3, 7`."""
    runs: list[list[int]] = []
    for number in sequences:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    named = [f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs]
    if not named:
        return "no version"
    return f"{'version' if len(sequences) == 1 else 'versions'} {', '.join(named)}"
