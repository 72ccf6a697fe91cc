"""The command line: parse, call one operation, render. It holds no rule of its own and no query."""
