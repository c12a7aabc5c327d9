"""The terminal: the rooms that all commands share; the commands themselves are in commands/.

Where to look:

    main.py      COMMANDS, the door `crmmail`, errors into sentences and exit codes
    command.py   Command, Group: global options before and after, examples in --help, a noun alone lists
    options.py   what commands share: --json and its sisters, --yes, --dry-run, record numbers, ids from stdin
    session.py   Session: who we are, which store, opened when first asked for
    voice.py     one listing, two voices: a table for people, plain lines or JSON for programs
    columns.py   what a column of a listing is, and how wide it may be
    line.py      what a line for people is; the table of styles
    forms.py     the forms that programs read: tsv, json, jsonl, csv, ids
    paint.py     the only file that knows rich
    pager.py     long text, a screen at a time
    streams.py   stdin, stdout and stderr: UTF-8, and no trouble from one that nobody reads
    shapes.py    the JSON that other programs stand on
    acts.py      what commands that change something share
"""
