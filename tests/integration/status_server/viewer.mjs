// A viewer with the stock client: `node viewer.mjs <folder of socket.io-client> <url> <options>`.
// It says what happens as lines of JSON, and takes requests as lines of JSON.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, url, options] = process.argv.slice(2);
const { io } = createRequire(folder)("socket.io-client");
const say = (kind, data) => process.stdout.write(JSON.stringify([kind, data ?? null]) + "\n");

const { batch, ...given } = JSON.parse(options);
const socket = io(`${url}/local_files`, { reconnectionDelay: 50, reconnectionDelayMax: 200, ...given });
const positions = new Map();
socket.io.on("open", () => {
  say("open", socket.io.engine.transport.name);
  socket.io.engine.on("upgrade", (transport) => say("upgrade", transport.name));
});

function see(event) {
  if (typeof event.seq === "number") positions.set(event.pipeline_id, event.cursor);
}

socket.on("connect", () => {
  say("connect");
  const cursor = [...positions.values()].join("~") || "-1";
  // No promise: its answer would come after events that follow it, and set the positions back.
  socket.emit("subscribe", { cursor, batch }, (answer) => {
    for (const pipeline of answer.pipelines ?? []) positions.set(pipeline.pipeline_id, pipeline.cursor);
    say("answer", answer);
  });
});
socket.on("connect_error", (error) => say("refused", { message: error.message, data: error.data }));
socket.on("disconnect", (why) => say("disconnect", why));
socket.onAny((type, data) => {
  for (const event of type === "events:batch" ? data.events : [data]) {
    see(event);
    say(type === "events:batch" ? event.type : type, event);
  }
});

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const [request, times] = JSON.parse(line);
    const answers = Array.from({ length: times }, () => socket.timeout(5000).emitWithAck(request));
    say("answers", await Promise.all(answers).catch((error) => error.message));
  })
  .on("close", () => {
    socket.disconnect();
  });
