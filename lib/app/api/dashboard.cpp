// A page about the server, for a browser on this machine: it asks /status and /memory every two seconds while it is
// seen, and /query when the user does. Everything is in it: no file, font or script comes from elsewhere, and its
// policy lets none come.
#include "app/api/handlers.h"

namespace frugal::api {
namespace {

constexpr const char* kPage = R"page(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>frugal</title>
<style>
:root { --ink: #1b1f24; --dim: #59636e; --paper: #ffffff; --panel: #f4f6f8; --line: #d8dee4;
  --blue: #0969da; --green: #1a7f37; --amber: #9a6700; --red: #b42318; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --paper: #0d1117; --panel: #161b22;
  --line: #30363d; --blue: #4493f8; --green: #3fb950; --amber: #d29922; --red: #f47067; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 20px 16px 48px; }
header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; }
h1 { font-size: 22px; margin: 0; }
h2 { font-size: 14px; margin: 0 0 10px; color: var(--dim); font-weight: 600; }
.state { font-weight: 600; }
.ready { color: var(--green); } .sleeping { color: var(--dim); } .loading { color: var(--amber); } .gone { color: var(--red); }
.dim { color: var(--dim); overflow-wrap: anywhere; }
form { display: flex; gap: 8px; margin: 18px 0; }
input { flex: 1; min-width: 0; font: inherit; padding: 8px 10px; color: inherit; background: var(--panel);
  border: 1px solid var(--line); border-radius: 6px; }
button { font: inherit; padding: 8px 16px; color: #fff; background: #0757ba; border: 0; border-radius: 6px; cursor: pointer; }
button:disabled { opacity: .6; cursor: default; }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
#answer { white-space: pre-wrap; overflow-wrap: anywhere; }
#answer:empty { display: none; }
section, #answer { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px;
  margin-bottom: 16px; min-width: 0; }
.grid { display: grid; gap: 0 16px; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
table { width: 100%; border-collapse: collapse; }
td { padding: 3px 0; vertical-align: top; overflow-wrap: anywhere; }
td:last-child { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-left: 12px; }
.bar { height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--blue); }
svg { display: block; width: 100%; height: 72px; }
polyline { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
.anon { stroke: var(--blue); } .file { stroke: var(--green); }
</style>
</head>
<body>
<main>
<header><h1>frugal</h1><span id="state" class="state" role="status">…</span><span id="about" class="dim"></span></header>
<form id="ask"><input id="question" aria-label="Question" placeholder="Ask the index" autocomplete="off" required>
<button id="send">Ask</button></form>
<div id="answer" aria-live="polite"></div>
<div class="grid">
<section><h2>Memory of the process</h2><svg id="chart" viewBox="0 0 120 72" preserveAspectRatio="none" aria-hidden="true">
<polyline class="file" id="file-line"></polyline><polyline class="anon" id="anon-line"></polyline></svg>
<table id="memory"></table></section>
<section><h2>Models</h2><table id="models"></table></section>
<section><h2>Time of questions, by stage</h2><table id="stages"></table></section>
<section><h2>Requests</h2><table id="requests"></table></section>
</div>
</main>
<script>
"use strict";
const by = id => document.getElementById(id);
const mib = bytes => bytes == null ? "–" : (bytes / 1048576).toFixed(1) + " MiB";
const ms = value => value == null ? "–" : value < 10 ? value.toFixed(1) + " ms" : Math.round(value) + " ms";
const history = [];

function fill(id, rows) {
  by(id).replaceChildren(...rows.map(([name, value, share]) => {
    const row = document.createElement("tr"), left = row.insertCell(), right = row.insertCell();
    left.textContent = name;
    right.textContent = value;
    if (share != null) {
      const bar = document.createElement("div"), part = document.createElement("i");
      bar.className = "bar";
      part.style.width = (100 * share).toFixed(1) + "%";
      bar.append(part);
      left.append(bar);
    }
    return row;
  }));
}

function draw() {
  const top = Math.max(...history.map(m => Math.max(m.anonymous_bytes, m.mapped_file_bytes)), 1);
  const line = key => history.map((m, i) => i * 120 / 119 + "," + (70 - 66 * m[key] / top)).join(" ");
  by("anon-line").setAttribute("points", line("anonymous_bytes"));
  by("file-line").setAttribute("points", line("mapped_file_bytes"));
}

function show(status, memory) {
  by("state").textContent = status.state;
  by("state").className = "state " + status.state;
  const index = status.index.name ? "index " + status.index.name : "no index";
  by("about").textContent = status.version + " · " + index;
  history.push(memory);
  if (history.length > 120) history.shift();
  draw();
  fill("memory", [["anonymous (blue)", mib(memory.anonymous_bytes)], ["mapped files (green)", mib(memory.mapped_file_bytes)],
    ["proportional (PSS)", mib(memory.pss_bytes)], ["swapped", mib(memory.swap_bytes)]]);
  fill("models", status.models.map(m => [m.role + ": " + m.name, !m.available ? "missing" :
    (m.loaded ? "loaded" : "not loaded") + " · " + mib(m.file_bytes)]));
  const stages = Object.entries(status.times.stages_ms), sum = stages.reduce((all, [, t]) => all + t, 0);
  const asked = Math.max(status.work.questions, 1);
  fill("stages", [["median · p95 of the last 256", ms(status.times.p50_ms) + " · " + ms(status.times.p95_ms)],
    ...stages.filter(([, t]) => t > 0).map(([name, t]) => [name, ms(t / asked), t / sum])]);
  fill("requests", [["connections", status.queue.connections], ["running · waiting",
    status.queue.running + " · " + status.queue.queued], ["answered so far", status.queue.requests],
    ["refused, queue full", status.queue.rejected], ["questions", status.work.questions],
    ["from the cache", status.times.cache_hits], ["texts embedded", status.work.embedded_texts],
    ["texts ranked", status.work.ranked_texts], ["texts generated", status.work.generations]]);
}

async function get(path) {
  const reply = await fetch(path);
  if (!reply.ok) throw new Error(reply.status);
  return reply.json();
}

async function refresh() {
  if (document.hidden) return;
  try {
    show(...await Promise.all([get("status"), get("memory")]));
  } catch (error) {
    by("state").textContent = "does not answer";
    by("state").className = "state gone";
  }
}

by("ask").addEventListener("submit", async event => {
  event.preventDefault();
  by("send").disabled = true;
  by("answer").textContent = "…";
  try {
    const reply = await fetch("query", {method: "POST",
      body: JSON.stringify({query: by("question").value, format: "text"})});
    const text = await reply.text();
    by("answer").textContent = reply.ok ? text : JSON.parse(text).error.message;
  } catch (error) {
    by("answer").textContent = "The server does not answer.";
  }
  by("send").disabled = false;
  refresh();
});

document.addEventListener("visibilitychange", refresh);
setInterval(refresh, 2000);
refresh();
</script>
</body>
</html>
)page";

// The page's own styles and script alone; requests go to the server that it came from.
constexpr const char* kPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

}  // namespace

void get_dashboard(Context&, const HttpRequest&, Exchange& exchange) {
  HttpReply reply;
  reply.content_type = "text/html; charset=utf-8";
  reply.body = kPage;
  reply.headers.emplace_back("Content-Security-Policy", kPolicy);
  reply.headers.emplace_back("Cache-Control", "no-cache");
  exchange.send(std::move(reply));
}

}  // namespace frugal::api
