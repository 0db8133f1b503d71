// The stock Socket.IO client, as somebody else would use it: prints each durable event, once, in order.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { io } = require("socket.io-client");
const [url, token, namespace] = process.argv.slice(2);
const socket = io(`${url}${namespace}`, { auth: { token }, reconnectionDelay: 100, reconnectionDelayMax: 500 });
let cursor = "-1";

socket.onAny((type, event) => {
  if (event?.seq === undefined) return;
  cursor = event.cursor;
  console.log(JSON.stringify(event));
});
socket.on("connect", () => {
  socket.emit("subscribe", { cursor }, (answer) => {
    console.error(answer.ok ? "subscribed" : JSON.stringify(answer));
  });
});
socket.on("connect_error", (error) => console.error(error.message));
