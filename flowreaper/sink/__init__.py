"""Where outcomes go: recorded in the checkpoint first, then passed on to each stream.

Begin with `flowreaper.sink.sink`, which commits in groups. May be imported here: `flowreaper.store`, and its
SQLite part by the results file alone; no other stage.
"""
