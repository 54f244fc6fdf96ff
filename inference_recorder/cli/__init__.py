"""The command `inference-recorder`. Needs the extra `cli`.

`main` lists the commands; each is a function in the module of its name. What commands share:

- what is read: `configured` (the project's configuration), `directories` and `suite_directories` (what DIR stands for,
  the directories of a suite), `node_ids` (NODEID), `named_recordings` (FILE, KEY, NODEID), `filters` and `amounts`
  (`ls --older-than 30d`); `processes` reads many files in several processes;
- what is printed: `console` (texts, tables, JSON, progress), `transcript` (a conversation), `answers`;
- `renaming` does what `rename-test` and `rekey` plan; `examination` and `examined_files` are behind `check`,
  `statistics` behind `ls --stats`; `import_vcr/` is behind `import vcr`, and `demo/` is a command with a server of its
  own.
"""
