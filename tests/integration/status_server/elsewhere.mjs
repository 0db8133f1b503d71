// The stock Socket.IO client by polling, whose polls go to another server once it is connected:
// prints why its session ended, once it has connected again.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
const { io } = require("socket.io-client");
const [url, token, otherPort] = process.argv.slice(2);
const socket = io(`${url}/pipelines`, { auth: { token }, transports: ["polling"], reconnectionDelay: 100 });
let reason = null;

socket.on("connect", () => {
  if (reason === null) {
    const { transport } = socket.io.engine;
    const { port } = transport.opts;
    const poll = transport.doPoll.bind(transport);
    transport.doPoll = () => {
      transport.opts.port = otherPort;
      poll();
      transport.opts.port = port;
    };
    return;
  }
  console.log(reason);
  process.exit(0);
});
socket.on("disconnect", (why) => (reason = why));
socket.on("connect_error", (error) => {
  console.log(error.message);
  process.exit(1);
});
