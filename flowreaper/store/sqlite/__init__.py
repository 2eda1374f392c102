"""The checkpoint as an SQLite file: all its SQL is here.

Begin with `flowreaper.store.sqlite.checkpoint`, whose public methods are the transactions of a run;
`flowreaper.store.sqlite.reader` reads what others write; `flowreaper.store.sqlite.run_mark` says how a lost log is
noticed. May be imported here: nothing of the package but `flowreaper.store`, model, errors, events and escaping.
"""
