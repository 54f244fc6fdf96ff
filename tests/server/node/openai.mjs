import OpenAI, { toFile } from "openai";
import { collected, run, timed } from "./ways.mjs";

const client = new OpenAI();
const chat = client.chat.completions;
const messages = [{ role: "user", content: "Where does it rain today?" }];
const question = { model: "gpt-4o", messages };
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "weather", description: "The weather.", parameters } }];
const schema = { name: "City", strict: true, schema: parameters };

await run({
  plain: () => chat.create(question),
  plainHeaders: async () => {
    const { data, response } = await chat.create(question).withResponse();
    return [data, response.status, response.headers.get("x-request-id")];
  },
  plainAtOnce: () => Promise.all(["a", "b", "c"].map((user) => chat.create({ ...question, user }))),
  streamed: () => collected(chat.create({ ...question, stream: true })),
  streamedUsage: () => collected(chat.create({ ...question, stream: true, stream_options: { include_usage: true } })),
  streamedHelper: () => chat.stream(question).finalChatCompletion(),
  streamedLeft: async () => {
    for await (const chunk of await chat.create({ ...question, user: "left", stream: true })) return chunk;
  },
  tools: async () => {
    const first = (await chat.create({ ...question, tools })).choices[0].message;
    const results = first.tool_calls.map((call) => ({ role: "tool", tool_call_id: call.id, content: "Rain." }));
    return [first, await chat.create({ ...question, tools, messages: [...messages, first, ...results] })];
  },
  toolsStreamed: () => collected(chat.create({ ...question, tools, stream: true })),
  structured: async () =>
    (await chat.parse({ ...question, response_format: { type: "json_schema", json_schema: schema } })).choices[0]
      .message.parsed,
  responses: () => client.responses.create({ model: "gpt-4o", input: "Hello 🙂" }),
  responsesStreamed: () => collected(client.responses.create({ model: "gpt-4o", input: "Hello", stream: true })),
  responsesHelper: async () => (await client.responses.stream({ model: "gpt-4o", input: "Hello" }).finalResponse()).output_text,
  embeddings: () => client.embeddings.create({ model: "text-embedding-3-small", input: ["a", "rainy day"] }),
  embeddingsFloat: () =>
    client.embeddings.create({ model: "text-embedding-3-small", input: "a day", encoding_format: "float" }),
  models: () => collected(client.models.list()),
  file: () => client.files.create({ file: new File(["{}\n"], "a.jsonl"), purpose: "batch" }),
  audio: async () =>
    client.audio.transcriptions.create({
      file: await toFile(Buffer.from([82, 73, 70, 70, 0, 255]), "a.wav"),
      model: "whisper-1",
      temperature: 0.5,
      timestamp_granularities: ["word", "segment"],
    }),
  speech: async () => {
    const answer = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Hello" });
    return Buffer.from(await answer.arrayBuffer()).toString("hex");
  },
  error400: () => chat.create({ ...question, model: "failing-400" }),
  error404: () => chat.create({ ...question, model: "failing-404" }),
  slow: () => chat.create({ ...question, model: "slow" }, { timeout: 300, maxRetries: 0 }),
  missed: () => timed((content) => chat.create({ ...question, messages: [{ role: "user", content }] })),
  missedStreamed: () => timed((content) => chat.create({ ...question, messages: [{ role: "user", content }], stream: true })),
  asked: async () => (await chat.create({ model: "gpt-4o", messages: [{ role: "user", content: "Say hello." }] })).choices[0].message.content,
  embedded: async () => (await client.embeddings.create({ model: "text-embedding-3-small", input: "abc" })).data[0].embedding,
});
