"""The page of the demo: one HTML text, that loads nothing from elsewhere."""

from __future__ import annotations

PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>asgi-resync demo</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --fg: #1c2128; --dim: #667080; --bg: #f5f6f8; --card: #fff; --line: #e3e6eb;
  --ready: #8a94a3; --exec: #b7791f; --succ: #0f8a6a; --bad: #c0392b }
@media (prefers-color-scheme: dark) { :root { --fg: #e6e9ee; --dim: #8b95a5; --bg: #12151a; --card: #1a1f26;
  --line: #2a313b; --ready: #7b8696; --exec: #e0a94a; --succ: #3ccba4; --bad: #f07167 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 46rem; padding: 2.5rem 1.25rem; background: var(--bg); color: var(--fg);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 1.35rem; margin: 0 } p { color: var(--dim); margin: .25rem 0 1.5rem }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin-bottom: .75rem }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: .8rem 1rem }
.card small { display: block; color: var(--dim) }
.card b { font-size: 1.5rem; font-weight: 600; font-variant-numeric: tabular-nums }
code { font: 13px/1.6 ui-monospace, monospace; overflow-wrap: anywhere }
.bar { height: 4px; border-radius: 2px; background: var(--line); overflow: hidden; margin-top: .5rem }
.bar i { display: block; height: 100%; background: var(--succ); transition: width .4s linear }
table { width: 100%; border-collapse: collapse } td { padding: .45rem 0; border-top: 1px solid var(--line) }
tr:first-child td { border: 0 } td:nth-child(2) { color: var(--dim) } td:last-child { text-align: right }
.WAIT, .READY { color: var(--ready) } .EXEC { color: var(--exec) } .SUCC { color: var(--succ) }
.ABEND, .bad { color: var(--bad) }
.EXEC::before { content: "● "; animation: pulse 1.2s infinite } @keyframes pulse { 50% { opacity: .25 } }
nav { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0 } nav button { font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .4rem .9rem; cursor: pointer }
nav button:hover { border-color: var(--dim) }
</style>
<h1>The plan of a slow scheduler</h1>
<p>This page asks for it every second. The scheduler, slow in every call, hears of few.</p>
<div class="tiles">
  <div class="card"><small>answered by</small><b id="source">…</b></div>
  <div class="card"><small>in</small><b id="took">…</b></div>
  <div class="card"><small>age</small><b id="age">…</b><div class="bar"><i id="left" style="width:0"></i></div></div>
  <div class="card"><small>requests / calls</small><b id="calls">…</b></div>
</div>
<div class="card"><small>Cache-Status</small><code id="status">…</code></div>
<nav>
  <button data-post="/plan/rerun">Rerun and purge</button>
  <button data-post="/scheduler/stop">Freeze the scheduler</button>
  <button data-post="/scheduler/start">Let it go on</button>
</nav>
<div class="card"><table id="jobs"></table></div>
<script>
const show = (id, text) => document.getElementById(id).textContent = text;
let asked = 0, waiting = false;
async function look() {
  if (waiting || document.hidden) return;
  waiting = true;
  const began = performance.now();
  try {
    const answer = await fetch("/plan/current", {cache: "no-store"});
    const body = await answer.json(), took = performance.now() - began;
    const status = answer.headers.get("cache-status") ?? "", age = answer.headers.get("age");
    const hit = status.includes("; hit") || status.includes("stale"), stale = /ttl=-|stale/.test(status);
    const missing = answer.headers.has("resync-degraded") && !hit;
    asked += 1;
    show("source", !answer.ok ? "an error" : missing ? "the fallback" : !hit ? "the scheduler"
      : stale ? "memory, stale" : "memory");
    document.getElementById("source").className = answer.ok && !missing ? "" : "bad";
    show("took", took < 10 ? took.toFixed(1) + " ms" : Math.round(took) + " ms");
    show("age", (age ?? 0) + " s");
    document.getElementById("left").style.width = Math.max(0, 100 - (age ?? 0) * 10) + "%";
    show("status", status || "–");
    if (answer.ok && !missing) {
      show("calls", asked + " / " + body.call);
      document.getElementById("jobs").replaceChildren(...body.jobs.map(job => {
        const row = document.createElement("tr");
        for (const text of [job.job, job.on, job.status]) row.insertCell().textContent = text;
        row.lastChild.className = job.status;
        return row;
      }));
    }
  } catch { show("source", "nobody"); } finally { waiting = false; }
}
for (const button of document.querySelectorAll("[data-post]"))
  button.onclick = () => fetch(button.dataset.post, {method: "POST"}).then(look);
look();
setInterval(look, 1000);
</script>
</html>
"""
