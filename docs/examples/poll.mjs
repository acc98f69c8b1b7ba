// node poll.mjs http://127.0.0.1:8080/ [polls] [plain]
// A front-end in thirty lines: polls the newest patterns, shows what is new, then pages back through a day.
// With `plain` the list is sent each time; else its ETag goes along, and "not modified" costs next to nothing.
// (In a browser fetch() does that by itself, since these answers are Cache-Control: no-cache.)
const [url, polls = 20, plain] = process.argv.slice(2);
const known = new Map(); // by path: { tag, page }
const shown = new Set(); // ids
let unchanged = 0;

async function get(path) {
    const before = plain ? undefined : known.get(path);
    const answer = await fetch(new URL(path, url), before && { headers: { "If-None-Match": before.tag } });
    if (answer.status === 304)
        return unchanged++, before.page;
    const page = await answer.json();
    if (!answer.ok)
        throw new Error(`${page.code}: ${page.detail}`);
    known.set(path, { tag: answer.headers.get("ETag") ?? '""', page });
    return page;
}

for (let i = 0; i < polls; i++, await new Promise((done) => setTimeout(done, 100))) {
    const page = await get("v1/patterns?limit=50");
    for (const e of page.data.filter((e) => !shown.has(e.id)).reverse())
        console.log(e.time, e.symbol, e.pattern_name, `${e.confidence} %`, page.stale ? "(stale)" : "");
    page.data.forEach((e) => shown.add(e.id));
}
const day = [];
for (let path = "v1/patterns?since=24h&limit=100", page; path; path = page.next) {
    page = await get(path);
    day.push(...page.data);
}
console.log(JSON.stringify({ polls: Number(polls), unchanged, day: day.length }));
