"""One of several processes that record into one place: `... CONTENDER FOLDER FIRST END`, numbers of answers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from . import answers
from .contenders import CONTENDERS


async def main(name: str, directory: str, first: str, end: str) -> None:
    """Ask for the answers `first` to before `end`, recorded."""
    with CONTENDERS[name]().recording(Path(directory)):
        async with answers.memory_async_client() as client:
            for number in range(int(first), int(end)):
                answers.check_answer(await client.chat.completions.create(**answers.question(number)), number)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
