// Chromium follows a stream, by its own EventSource or by @microsoft/fetch-event-source: node chromium.mjs MODULES URL eventsource|fetch.
// The page is the service's own, so that the stream is of the same origin. A line of JSON for each event, until stdin ends.
import { createRequire } from "node:module";

const [modules, url, how] = process.argv.slice(2);
const require = createRequire(modules + "/");
const { chromium } = require("playwright-core");
const library = modules + "/node_modules/@microsoft/fetch-event-source/lib/esm/";
const flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
const context = await browser.newContext({ bypassCSP: true });
await context.exposeFunction("say", (event, id) => process.stdout.write(JSON.stringify({ event, id }) + "\n"));
// Its modules import one another without the suffix that a browser wants.
await context.route("**/fetch-event-source/*", (route) =>
	route.fulfill({ path: library + new URL(route.request().url()).pathname.split("/").pop().replace(/(\.js)?$/, ".js"), contentType: "text/javascript" }));
await context.route("**/empty.html", (route) => route.fulfill({ body: "<!doctype html><title>test</title>", contentType: "text/html" }));
const page = await context.newPage();
await page.goto(new URL("/empty.html", url).href);

if (how === "eventsource") {
	await page.evaluate((url) => {
		const source = new EventSource(url);
		for (const name of ["hello", "reset", "pattern", "gap", "dropped", "overload", "bye"])
			source.addEventListener(name, (e) => say(name, e.lastEventId));
		source.addEventListener("error", () => source.readyState === EventSource.CLOSED && say("dead", null));
	}, url);
} else {
	await page.evaluate(async (url) => {
		const { fetchEventSource } = await import("/fetch-event-source/fetch.js");
		// It ends with the first answer that ends, unless one throws.
		const onclose = () => {
			throw new Error("ended");
		};
		const onopen = async (response) => response.ok || say("dead", null);
		fetchEventSource(url, { openWhenHidden: true, onopen, onclose, onerror: () => undefined, onmessage: (m) => say(m.event, m.id) });
	}, url);
}
process.stdin.resume();
process.stdin.on("end", () => browser.close().then(() => process.exit(0)));
