"""The commands: a file each, named like its verb or noun.  `cli.main.COMMANDS` is the table that finds them; a command
reads its words, calls one path of `services`, and hands what came of it to the voice."""
