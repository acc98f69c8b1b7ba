// The npm package `eventsource` follows a stream: node npm-eventsource.mjs MODULES URL. A line of JSON for each event, until stdin ends.
import { createRequire } from "node:module";

const [modules, url] = process.argv.slice(2);
const { EventSource } = createRequire(modules + "/")("eventsource");
const say = (event, id) => process.stdout.write(JSON.stringify({ event, id }) + "\n");
const source = new EventSource(url);

for (const name of ["hello", "reset", "pattern", "gap", "dropped", "overload", "bye"])
	source.addEventListener(name, (e) => say(name, e.lastEventId));
source.addEventListener("error", () => {
	if (source.readyState === EventSource.CLOSED)
		say("dead", null);
});
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
