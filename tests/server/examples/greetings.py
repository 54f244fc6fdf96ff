"""An async program that makes several calls at once: `python greetings.py Ada Alan`."""

import asyncio
import sys

from openai import AsyncOpenAI


async def greeting(client: AsyncOpenAI, name: str) -> str:
    question = f"Greet {name}."
    stream = await client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": question}], stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


async def main() -> None:
    async with AsyncOpenAI() as client:
        for text in await asyncio.gather(*(greeting(client, name) for name in sys.argv[1:])):
            print(text)


asyncio.run(main())
