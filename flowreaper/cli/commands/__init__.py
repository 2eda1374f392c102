"""One click command a file; each is imported when it is called.

Begin with `flowreaper.cli.commands.delete`. May be imported here: anything but other commands.
"""
