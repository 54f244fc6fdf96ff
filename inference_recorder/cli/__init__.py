"""The command `inference-recorder`. Needs the extra `cli`.

`main` lists the commands; each is a function in the module of its name. What commands share:

- what is read: `configured` (the project's configuration), `directories` and `suite_directories` (what DIR stands for,
  the directories of a suite), `named_recordings` (FILE, KEY), `filters` and `amounts` (`ls --older-than 30d`);
- what is printed: `console` (texts, tables, JSON, progress), `transcript` (a conversation), `answers`;
- `renaming` does what `rename-test` and `rekey` plan; `examination` is the reading behind `check`, `statistics` that
  behind `ls --stats`; `import_vcr/` is behind `import vcr`, and `demo/` is a command with a server of its own.
"""
