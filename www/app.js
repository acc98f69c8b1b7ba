/*
 * The page polls the API and shows what it says, also when that is bad news: nothing is kept from an earlier answer
 * without saying how old it is. All URLs are relative, so the page works under any mount point.
 */
"use strict";

const EVERY_MS = 2000;
const TIMEOUT_MS = 5000;
const ROWS = 15;

const $ = (id) => document.getElementById(id);

/* A GET with a time-out. 503 of v1/health is an answer too: it says what is down. */
async function get(path, ...acceptable) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { Accept: "application/json" } });
    if (!answer.ok && !acceptable.includes(answer.status))
        throw new Error(`${path} answered ${answer.status}`);
    return answer.json();
}

function age(seconds) {
    if (seconds === null || seconds === undefined)
        return "never";
    if (seconds < 90)
        return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s ago`;
    return seconds < 5400 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

function row(cells) {
    const tr = document.createElement("tr");
    cells.forEach((text, i) => {
        const td = document.createElement("td");
        td.textContent = text; // never innerHTML: all of it comes from outside
        if (i === cells.length - 1)
            td.className = "number";
        tr.append(td);
    });
    return tr;
}

const clock = (event) => event.time.slice(0, 23).replace("T", " ");
const number = (n) => n === null || n === undefined ? "unknown" : n.toLocaleString("en", { maximumFractionDigits: 4 });

function indicatorValue(event) {
    if (event.value !== null)
        return number(event.value);
    return Object.entries(event.values ?? {}).map(([k, v]) => `${k} ${typeof v === "number" ? number(v) : v}`).join(", ");
}

const lists = {
    patterns: (e) => [clock(e), e.symbol, e.pattern_name, e.timeframe, `${number(e.confidence)} %`],
    indicators: (e) => [clock(e), e.symbol, e.indicator_name, e.timeframe, indicatorValue(e)],
};

function showList(name, answer) {
    $(name).replaceChildren(...answer.data.map((e) => row(lists[name](e))));
    const notes = [];
    if (answer.stale)
        notes.push("Stale: new detections may be missing.");
    if (answer.gaps.length)
        notes.push(`${answer.gaps.length} gap${answer.gaps.length > 1 ? "s" : ""} in this time: events may be missing.`);
    if (!answer.data.length)
        notes.push("None yet.");
    $(`${name}-note`).textContent = notes.join(" ");
}

function showHealth(h) {
    const facts = {
        "Redis": h.redis.connected ? `connected, ${h.redis.reconnects} reconnects` : `not connected${h.redis.error ? ": " + h.redis.error : ""}`,
        "Last message": age(h.redis.last_message_age),
        "Producer": h.producer.state,
        "Subscriber": h.subscriber.alive ? `alive, ${age(h.subscriber.age)}` : "not heard of",
        "Store": h.subscriber.store_error ?? "no errors",
        "Events kept": number(h.store?.events),
        "Gaps kept": h.gaps.count ? `${h.gaps.count}, last: ${h.gaps.last?.reason}` : "none",
        "Version": h.version,
    };
    $("health").replaceChildren(...Object.entries(facts).map(([term, text]) => {
        const div = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
        dt.textContent = term;
        dd.textContent = text;
        div.append(dt, dd);
        return div;
    }));
    return h.status;
}

const words = {
    ok: "All is well.",
    degraded: "Degraded: what you see may be out of date.",
    down: "Down: nothing can be served.",
};
let lastGood = null;

function status(state, text) {
    const p = $("status");
    p.dataset.state = state;
    if (p.textContent !== text) // a live region speaks at every change, so change it only when there is one
        p.textContent = text;
}

async function poll() {
    try {
        const state = showHealth(await get("v1/health", 503));
        const answers = await Promise.all(Object.keys(lists).map((name) => get(`v1/${name}?limit=${ROWS}`)));
        Object.keys(lists).forEach((name, i) => showList(name, answers[i]));
        status(state, words[state] ?? state);
        lastGood = new Date();
    } catch (e) {
        const since = lastGood ? `What is shown is of ${lastGood.toLocaleTimeString()}.` : "Nothing has been received.";
        status("down", `The service does not answer as it should (${e.message}). ${since}`);
    }
    setTimeout(poll, EVERY_MS);
}

poll();
