"""The terminal: `main` is the table of commands, `voice` what they say, `session` what they hold; a command a file.

main.py      COMMANDS, the door `crmmail`, errors into sentences and exit codes
command.py   Command, Group: global options before and after, examples in --help, a noun alone lists
options.py   what commands share: --json and its sisters, --yes, --dry-run, record numbers, ids from stdin
session.py   Session: who we are, which store, opened when first asked for
voice.py     one listing, two voices: a table for people, plain lines or JSON for programs
forms.py     the plain forms: tsv, json, jsonl, csv, ids
paint.py     the only file that knows rich
pager.py     long text, a screen at a time
"""
