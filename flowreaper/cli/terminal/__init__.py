"""What a person sees of a run: the facts before it, the question, the status line, the log, the end.

Begin with `flowreaper.cli.terminal.start`. May be imported here: anything of the package but the commands. Text that
comes from files or from the service is escaped before it is shown.
"""
