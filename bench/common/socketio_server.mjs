// Node's Socket.IO as one would use it: a room that every viewer joins, and an event for each line of
// standard input, sent as it is.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { Server } = createRequire(new URL("../../web/package.json", import.meta.url))("socket.io");

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });
const viewers = io.of("/local_files");
viewers.on("connection", (socket) => {
  socket.on("subscribe", async (_request, answer) => {
    await socket.join("pipeline");
    answer({ ok: true });
  });
});
http.listen(0, "127.0.0.1", () => console.log(http.address().port));
createInterface({ input: process.stdin })
  .on("line", (line) => {
    for (const event of JSON.parse(line)) viewers.to("pipeline").emit(event.type, event);
  })
  .on("close", () => process.exit(0));
