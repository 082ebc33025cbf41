"""An independent checker: reads the topics and the store, and knows none of the project's code.

It imports kafka-python, pyarrow and the standard library alone, which a test holds; what a record,
an entry and an announcement must look like it has from the schema documents.

    records.py   G1: every record below the committed offset is accounted for, exactly once
    lineage.py   G2: no fork, no gap, and the events say what the entries say
    versions.py  G3: what is announced is complete, proven and byte-identical to its digests
    answers.py   G4: every text is answered, in order, by an announced version
    lag.py       G5: the groups are at the head of their topics
"""
