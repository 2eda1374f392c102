"""The checkpoint: what is durable of a job.

Begin with `flowreaper.store.sqlite.checkpoint`; `flowreaper.store.records` makes records of outcomes. May be imported
here: nothing of the package but model, errors, events and escaping. All its SQL is in `flowreaper.store.sqlite`.
"""
