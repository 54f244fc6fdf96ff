"""An app that asks a model: `uvicorn app:app`. One of FastAPI is tested in the same way."""

from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

client = AsyncOpenAI()


async def greet(request: Request) -> PlainTextResponse:
    question = f"Greet {request.query_params['name']}."
    answer = await client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
    return PlainTextResponse(answer.choices[0].message.content or "")


app = Starlette(routes=[Route("/greet", greet)])
