import Anthropic from "@anthropic-ai/sdk";
import { collected, run, timed } from "./ways.mjs";

const client = new Anthropic();
const messages = [{ role: "user", content: "Where does it rain today?" }];
const question = { model: "claude-of-tests", max_tokens: 100, messages };
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ name: "weather", description: "The weather.", input_schema: schema }];

await run({
  plain: () => client.messages.create(question),
  streamed: () => collected(client.messages.create({ ...question, stream: true })),
  streamedHelper: () => client.messages.stream(question).finalMessage(),
  tools: () => client.messages.create({ ...question, tools }),
  toolsStreamed: () => client.messages.stream({ ...question, tools }).finalMessage(),
  countTokens: () => client.messages.countTokens({ model: question.model, messages }),
  models: () => collected(client.models.list()),
  error400: () => client.messages.create({ ...question, model: "failing-400" }),
  error404: () => client.messages.create({ ...question, model: "failing-404" }),
  missed: () => timed((content) => client.messages.create({ ...question, messages: [{ role: "user", content }] })),
});
