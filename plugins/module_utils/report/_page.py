# Copyright: (c) 2026, The Sluice Authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The page of a report: its look, and its text as a Jinja2 template. In Python, as modules ship nothing else."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f6f9; --surface: #ffffff; --ink: #1a2230; --muted: #566174; --grid: #e1e6ee; --calm: #7d92b3;
  --green: #17794a; --yellow: #946000; --red: #c02636;
  --green-soft: #e3f4ea; --yellow-soft: #fdf1d7; --red-soft: #fce8e9;
  --calm-soft: #e8edf5; --series-1: #2360c4; --series-2: #7f4cc0; --series-3: #0b7a86; --series-4: #87582a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10141a; --surface: #191f28; --ink: #e6ebf2; --muted: #9ca8b9; --grid: #2c3542; --calm: #64799a;
    --green: #4fc48b; --yellow: #e5b04a; --red: #ff7378;
    --green-soft: #15352a; --yellow-soft: #382c12; --red-soft: #40191f;
    --calm-soft: #253041; --series-1: #6ca7ff; --series-2: #b795ff; --series-3: #45c4d2; --series-4: #dba26a;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 2rem 1.25rem 3rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif;
}
main { max-width: 68rem; margin: 0 auto; display: grid; gap: 1.1rem; }
h1 { margin: .5rem 0 .15rem; font-size: 1.75rem; line-height: 1.2; letter-spacing: -.015em; }
h1 .arrow { color: var(--muted); font-weight: 400; }
h2 { margin: 0 0 .6rem; font-size: 1rem; }
h3 { margin: 0; font-size: .95rem; }
p { margin: 0; }
.mono {
  font: .87em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere;
}
.muted { color: var(--muted); }
.card, .banner {
  background: var(--surface); border: 1px solid var(--grid); border-radius: 10px; padding: 1rem 1.2rem; min-width: 0;
}
.banner { border-top: 6px solid var(--tone); padding: 1.2rem 1.4rem 1.3rem; }
.banner .headline { font-size: 1.08rem; }
.facts { display: flex; flex-wrap: wrap; gap: .35rem 1.8rem; margin: .95rem 0 0; }
.facts div, .tile { min-width: 0; }
dt { color: var(--muted); font-size: .78rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.green { --tone: var(--green); --soft: var(--green-soft); }
.yellow, .pending { --tone: var(--yellow); --soft: var(--yellow-soft); }
.red { --tone: var(--red); --soft: var(--red-soft); }
.calm { --tone: var(--muted); --soft: var(--calm-soft); }
.pill {
  display: inline-block; padding: .1rem .6rem; border-radius: 99px; background: var(--soft); color: var(--tone);
  font-size: .8rem; font-weight: 650; white-space: nowrap;
}
.banner .pill { font-size: .95rem; padding: .2rem .85rem; }
.problem { border-left: 5px solid var(--red); }
.problem p.message { white-space: pre-wrap; overflow-wrap: anywhere; }
.tiles { display: grid; gap: 1.1rem; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); }
.tile .figure { font-size: 1.45rem; font-weight: 650; line-height: 1.3; letter-spacing: -.01em; }
.tile .figure.toned { color: var(--tone); }
.pair { display: grid; gap: 1.1rem; grid-template-columns: repeat(auto-fit, minmax(21rem, 1fr)); }
.pair dl { display: grid; grid-template-columns: max-content 1fr; gap: .22rem 1rem; margin: .6rem 0 0; }
.pair dt { font-size: .85rem; }
.pair dd { font-size: .9rem; }
.title { display: flex; flex-wrap: wrap; align-items: baseline; gap: .3rem .7rem; }
.title .now { margin-left: auto; font-weight: 650; }
.charts { display: grid; gap: 1.1rem; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); }
figure { margin: 0; }
figcaption { color: var(--muted); font-size: .84rem; }
svg.chart {
  display: block; width: 100%; height: auto; overflow: visible; margin-top: .45rem;
  stroke-linejoin: round; font-family: inherit;
}
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th { text-align: left; font-weight: 600; color: var(--muted); font-size: .78rem; }
th, td { padding: .34rem .9rem .34rem 0; border-bottom: 1px solid var(--grid); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.name { white-space: nowrap; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.n + td:not(.n), th.n + th:not(.n) { padding-left: 1rem; }
.use {
  display: inline-block; width: 5.5rem; height: .5rem; border-radius: 9px; background: var(--calm-soft);
  overflow: hidden; vertical-align: .06em;
}
.use i { display: block; height: 100%; background: var(--calm); }
.use.over i { background: var(--red); }
ul { margin: 0; padding-left: 1.2rem; }
summary { cursor: pointer; font-weight: 600; }
details > .scroll { margin-top: .7rem; }
footer { color: var(--muted); font-size: .82rem; text-align: center; }
@media (max-width: 40rem) {
  body { padding: 1rem .7rem; }
  h1 { font-size: 1.4rem; }
  .scroll > svg.chart { min-width: 40rem; }
}
@media print {
  :root {
    --page: #fff; --surface: #fff; --ink: #000; --muted: #444; --grid: #ccc; --calm: #7d92b3; --calm-soft: #e8edf5;
    --green: #17794a; --yellow: #946000; --red: #c02636;
  --green-soft: #e3f4ea; --yellow-soft: #fdf1d7; --red-soft: #fce8e9;
    --series-1: #2360c4; --series-2: #7f4cc0; --series-3: #0b7a86; --series-4: #87582a;
  }
  body { padding: 0; font-size: 11px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .card, .banner { break-inside: avoid; }
  .charts { grid-template-columns: 1fr 1fr; }
}
"""

TEMPLATE = """\
{% macro pill(tone, text) %}<span class="pill {{ tone }}">{{ text }}</span>{% endmacro %}
{% macro passed(good, waived) -%}
{{ pill("yellow", "waived") if waived else pill("green", "yes") if good else pill("red", "no") }}
{%- endmacro %}
{% macro host_head() %}{% if several %}<th>Host</th>{% endif %}{% endmacro %}
{% macro host_cell(host) %}{% if several %}<td>{{ host }}</td>{% endif %}{% endmacro %}
{% macro fact(name, value, class="") %}
{% if value %}<dt>{{ name }}</dt><dd{% if class %} class="{{ class }}"{% endif %}>{{ value }}</dd>{% endif %}
{% endmacro %}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{{ mark }} {{ r.application }} {{ r.to }} {{ outcome | lower }} ({{ r.environment }})</title>
<style>{{ style }}</style>
</head>
<body>
<main>

<header class="banner {{ tone }}" data-outcome="{{ r.outcome }}">
  {{ pill(tone, mark ~ " " ~ outcome) }}
  {% if r.verdict %}<span class="pill {{ r.verdict }}" data-verdict="{{ r.verdict }}">verdict {{ r.verdict }}</span>
  {% endif %}
  <h1>{{ r.application }}
    {% if r.from and r.from != r.to %}{{ r.from }} <span class="arrow">→</span> {% endif %}{{ r.to }}</h1>
  <p class="headline">{{ headline }}.</p>
  <dl class="facts">
    <div>{{ fact("Environment", r.environment) }}</div>
    <div>{{ fact("Started", started) }}</div>
    <div>{{ fact("Operator", r.operator or "unknown") }}</div>
    <div>{{ fact("Hosts" if several else "Host", r.hosts | map(attribute="host") | join(", ")) }}</div>
    <div>{{ fact("Release", r.release_id, "mono") }}</div>
  </dl>
</header>

{% if r.error %}
<section class="card problem" id="error">
  <h2>What went wrong{{ ": stage " ~ r.error.stage if r.error.stage else "" }}
    {{- " on " ~ r.error.host if several and r.error.host else "" }}</h2>
  <p class="message">{{ r.error.message }}</p>
</section>
{% endif %}

{% if r.issues %}
<section class="card" id="issues">
  <h2>Worth knowing</h2>
  <ul>{% for issue in r.issues %}<li>{{ issue }}</li>{% endfor %}</ul>
</section>
{% endif %}

<section class="tiles" aria-label="Key figures">
{% for tile in tiles %}
  <div class="card tile {{ tile.tone }}">
    <p class="muted">{{ tile.name }}</p>
    <p class="figure{% if tile.tone %} toned{% endif %}">{{ tile.figure }}</p>
    <p class="muted">{{ tile.note }}</p>
  </div>
{% endfor %}
</section>

{% if r.rollback or r.backup %}
<div class="pair">
{% if r.rollback %}
  <section class="card" id="rollback">
    <div class="title"><h2>Rollback</h2>
      {{ pill("green", "verified") if r.rollback.verified else pill("red", "not verified") }}</div>
    <p>Level {{ r.rollback.level }}, {{ levels.get(r.rollback.level, "") }}: back to
      <strong>{{ r.rollback.to or "what served before" }}</strong> in {{ r.rollback.seconds | seconds }}.</p>
    <dl>
      {{ fact("Because", r.rollback.reason) }}
      {{ fact("Red", red | join("; ")) }}
      {{ fact("Artifact", r.rollback.artifact, "mono") }}
      {% if several %}{{ fact("Hosts", (r.rollback.hosts or []) | join(", ")) }}{% endif %}
    </dl>
  </section>
{% endif %}
{% if r.backup %}
  <section class="card" id="backup">
    <div class="title"><h2>Backup</h2>{{ pill("green" if r.backup.verified else "red", proof) }}</div>
    <p>{{ backup_words }}</p>
    <dl>
      {{ fact("Id", r.backup.id, "mono") }}
      {% if several %}{{ fact("Host", r.backup.host) }}{% endif %}
      {{ fact("Path", r.backup.path, "mono") }}
      {{ fact("SHA-256", r.backup.sha256, "mono") }}
      {% for one in r.backup.copies or [] %}
      {{ fact("Copy", one.to ~ ": " ~ (one | copy)) }}
      {% endfor %}
    </dl>
  </section>
{% endif %}
</div>
{% endif %}

{% if r.restore %}
<section class="card" id="restore">
  <div class="title"><h2>Restore</h2>
    {{ pill("green", "done") if r.restore.confirmed else pill("red", "refused") }}</div>
  <dl>
    {{ fact("Backup", r.restore.backup_id, "mono") }}
    {{ fact("Data of", r.restore.created) }}
    {{ fact("Database", r.restore.database, "mono") }}
    {{ fact("Replaced, kept as", r.restore.replaced, "mono") }}
    {% if r.restore.seconds %}{{ fact("Took", r.restore.seconds | seconds) }}{% endif %}
    {% if r.restore.bytes_per_second %}{{ fact("Rate", (r.restore.bytes_per_second | bytes) ~ "/s") }}{% endif %}
  </dl>
  {% if r.restore.losses %}
  <div class="scroll"><table>
    <thead><tr><th>Table</th><th>{{ "Lost" if r.restore.confirmed else "Would be lost" }}</th>
      <th class="n">Changed since</th><th>Newest</th></tr></thead>
    <tbody>
    {% for loss in r.restore.losses %}
    <tr><td class="mono">{{ loss.table }}</td><td>{{ loss | loss }}</td>
      <td class="n">{{ "" if loss.rows_changed is none else loss.rows_changed }}</td><td>{{ loss | newest }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
  {% else %}<p class="muted">Nothing was written since.</p>
  {% endif %}
</section>
{% endif %}

{% if r.drill %}
<section class="card" id="drill">
  <div class="title"><h2>Drill</h2>
    {{ pill("green", "verified") if r.drill.verified else pill("red", "not verified") }}</div>
  <dl>
    {{ fact("Backup", r.drill.backup_id, "mono") }}
    {{ fact("Data of", r.drill.created) }}
    {% if r.drill.seconds is not none %}{{ fact("A restore takes about", r.drill.seconds | seconds) }}{% endif %}
    {% if r.drill.tables is not none %}{{ fact("Tables", r.drill.tables) }}{% endif %}
    {% if r.drill.rows is not none %}{{ fact("Rows", r.drill.rows) }}{% endif %}
    {% if r.drill.bytes is not none %}{{ fact("Size", r.drill.bytes | bytes) }}{% endif %}
    {% if r.drill.bytes_per_second %}{{ fact("Rate", (r.drill.bytes_per_second | bytes) ~ "/s") }}{% endif %}
  </dl>
</section>
{% endif %}

{% if r.rollback_drill %}
<section class="card" id="rollback-drill">
  <div class="title"><h2>Rollback drill</h2>
    {{ pill("green", "budgets met") if r.rollback_drill.met else pill("red", "missed") }}</div>
  <p class="muted">Every level was the rollback itself,
    {{ "where the application runs" if r.rollback_drill.place == "here" else "at a shadow beside the application" }},
    and what served serves again.</p>
  <div class="scroll"><table>
    <thead><tr><th>Level</th><th>To</th><th class="n">Took</th><th class="n">Budget</th><th>Steps</th>
      <th>Result</th></tr></thead>
    <tbody>
    {% for level in r.rollback_drill.levels %}
    <tr><td>{{ level.level }}</td><td class="name">{{ level.to }}</td>
      <td class="n">{{ "" if level.seconds is none else level.seconds | seconds }}</td>
      <td class="n">{{ level.budget_seconds | seconds }}</td>
      <td>{% for step, took in level.steps.items() -%}
        {{ step }} {{ took | seconds }}{{ "" if loop.last else ", " }}
      {%- endfor %}</td>
      <td>{{ level.missed or "met" }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
</section>
{% endif %}

{% if r.migration and (r.migration.pending_before or r.migration.reverted or r.migration.not_reverted) %}
<section class="card" id="migration">
  <h2>Migration</h2>
  <dl>
    {{ fact("Applied", (r.migration.applied or []) | join(", ")) }}
    {{ fact("Still pending", r.migration | still_pending | join(", ")) }}
    {{ fact("Taken back", (r.migration.reverted or []) | join(", ")) }}
    {{ fact("Not taken back", r.migration.not_reverted) }}
    {% if r.migration.rows %}
    {{ fact("Rows", r.migration.rows.before ~ " before, " ~ r.migration.rows.after ~ " after") }}
    {% endif %}
    {% for one in (r.migration.blocking.sessions if r.migration.blocking else []) or [] %}
    {{ fact("Waited for it" if one.waits_for == "migration" else "It waited for",
            "session " ~ one.pid ~ " (" ~ one.user ~ " " ~ one.application ~ ")") }}
    {% endfor %}
  </dl>
</section>
{% endif %}

{% if r.warming %}
<section class="card" id="warming">
  <h2>Warming</h2>
  {% if warming %}<figure class="scroll">{{ warming.svg }}</figure>
  <p class="muted">The line is what the first visitors would have waited for, the dashed one what they wait for since.
  </p>
  {% endif %}
  <div class="scroll"><table>
    <thead><tr><th>Host</th><th>Result</th><th></th></tr></thead>
    <tbody>
    {% for one in r.warming %}
    <tr><td class="name">{{ one.host }}</td><td>{{ one | warming }}</td>
      <td>{{ pill("green", "warm") if one.warm else pill("yellow", "not warm") }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
</section>
{% endif %}

{% if r.settings %}
<section class="card" id="settings">
  <h2>Settings</h2>
  <dl>
    {{ fact("Taken back" if r.settings.undo else "Carried out", r.settings.action, "mono") }}
    {{ fact("On afterwards", r.settings.active | join(", ") or "no toggle") }}
  </dl>
  {% if r.settings.changes %}
  <div class="scroll"><table>
    <thead><tr><th>Variable</th><th>Was</th><th>Is</th></tr></thead>
    <tbody>
    {% for one in r.settings.changes %}
    <tr><td class="mono">{{ one.name }}</td><td class="mono">{{ "not set" if one.was is none else one.was }}</td>
      <td class="mono">{{ "not set" if one["is"] is none else one["is"] }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
  {% else %}<p class="muted">No variable has changed.</p>
  {% endif %}
</section>
{% endif %}

{% if r.maintenance %}
<section class="card" id="maintenance">
  <h2>Maintenance</h2>
  <div class="scroll"><table>
    <thead><tr><th>Time</th><th>Host</th><th>Told</th></tr></thead>
    <tbody>
    {% for one in r.maintenance %}
    <tr><td class="mono">{{ one.time }}</td><td class="name">{{ one.host }}</td><td>{{ one | maintenance }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
</section>
{% endif %}

{% if r.triggers %}
<section class="card" id="triggers">
  <h2>Triggers</h2>
  <ul>
    {% for one in r.triggers %}<li>{{ one | trigger }}</li>{% endfor %}
  </ul>
</section>
{% endif %}

{% if r.watch %}
<section class="card" id="watch">
  <div class="title"><h2>Watch</h2>
    {% if r.watch.verdict %}{{ pill(r.watch.verdict, r.watch.verdict) }}{% endif %}</div>
  <p>{{ watch_headline }}.</p>
  <div class="scroll"><table>
    <thead><tr><th>Window</th>{{ host_head() }}<th>Verdict</th><th>State</th><th>Ticks</th></tr></thead>
    <tbody>
    {% for window in r.watch.windows %}
    <tr><td>{{ window.window }}</td>{{ host_cell(window.host) }}
      {% set verdict = window_verdict(r.watch, window) -%}
      <td>{{ pill("calm" if verdict == "none" else verdict, verdict) }}</td>
      <td>{{ window.state }}</td><td>{{ window | ticks }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
  {% if r.watch.findings or r.watch.decisions %}
  <ul>
    {% for one in r.watch.findings %}<li>{{ pill(one.verdict, one.verdict) }}
      {% if several %}{{ one.host }}: {% endif %}{{ one | finding }}</li>{% endfor %}
    {% for one in r.watch.decisions or [] %}<li>{{ one | decision }}</li>{% endfor %}
  </ul>
  {% endif %}
</section>
{% endif %}

{% if r.stages %}
<section class="card" id="timeline">
  <h2>Timeline</h2>
  {% if timeline %}<figure class="scroll">{{ timeline.svg }}</figure>
  {% else %}<p class="muted">{{ no_charts }}</p>
  {% endif %}
</section>
{% endif %}

{% if r.requests %}
<section class="card" id="requests">
  <div class="title"><h2>Requests while the release ran</h2>
    {{ pill("red" if r.requests | lost else "green", (r.requests | lost) ~ " failed") }}
    {% if r.requests.unserved %}{{ pill("calm", r.requests.unserved ~ " before anything served") }}{% endif %}</div>
  {% if requests %}<figure class="scroll">{{ requests.svg }}</figure>{% endif %}
  <p class="muted">{{ r.requests.sent | count("request") }} sent, one connection each; longest gap between good answers
    {{ r.requests.longest_gap_ms | number }} ms
    {%- for kind, n in (r.requests.errors or {}) | dictsort %}; {{ kind }}: {{ n }}{% endfor %}.</p>
</section>
{% endif %}

{% if charts %}
<section id="gates" aria-label="Gated metrics">
  <div class="charts">
  {% for chart in charts %}
    <figure class="card" data-check="{{ chart.check }}" data-verdict="{{ chart.verdict }}">
      <div class="title"><h3>{{ chart.check }}</h3>{{ pill(chart.verdict, chart.verdict) }}
        <span class="now">{{ chart.now }}</span></div>
      <figcaption>{{ chart.caption }}</figcaption>
      {{ chart.svg }}
    </figure>
  {% endfor %}
  </div>
</section>
{% endif %}

{% if r.gates %}
<section class="card" id="checks">
  <h2>Every check</h2>
  <div class="scroll"><table>
    <thead><tr><th>Check</th><th>Stage</th>{{ host_head() }}<th>Verdict</th><th class="n">Value</th><th>Bound</th>
      <th class="n">Samples</th></tr></thead>
    <tbody>
    {% for gate in r.gates %}
    <tr><td>{{ gate.check }}</td><td>{{ gate.stage }}</td>{{ host_cell(gate.host) }}
      <td>{{ pill(gate.verdict, gate.verdict) }}</td><td class="n">{{ gate.value | value(gate.unit) }}</td>
      <td>{{ gate | threshold }}</td><td class="n">{{ gate.samples }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
</section>
{% endif %}

{% if flows %}
<details class="card" id="flows"{% if flows | rejectattr("verdict", "equalto", "green") | list %} open{% endif %}>
  <summary>What the flows did</summary>
  <div class="scroll"><table>
    <thead><tr><th>Flow</th>{{ host_head() }}<th>Step</th><th>Outcome</th><th class="n">Status</th>
      <th class="n">Took</th><th>Found</th></tr></thead>
    <tbody>
    {% for flow in flows %}{% for step in flow.steps %}
    <tr><td>{{ flow.check if loop.first else "" }}</td>{{ host_cell(flow.host) }}<td>{{ step.name }}</td>
      <td>{{ pill(step_tones[step.outcome], step.outcome) }}</td><td class="n">{{ step.status or "" }}</td>
      <td class="n">{{ "" if step.ms is none else (step.ms / 1000) | seconds }}</td>
      <td>{{ (step.failures or []) | join("; ") or step.reason or "" }}</td></tr>
    {% endfor %}{% endfor %}
    </tbody>
  </table></div>
</details>
{% endif %}

{% if r.stages %}
<section class="card" id="stages">
  <h2>Every stage</h2>
  <div class="scroll"><table>
    <thead><tr><th>Stage</th>{{ host_head() }}<th>Outcome</th><th class="n">Took</th><th class="n">Budget</th>
      <th>Used</th></tr></thead>
    <tbody>
    {% for stage in r.stages %}
    {% set timed = stage.budget_seconds and stage.seconds is not none %}
    {% set used = (100 * stage.seconds / stage.budget_seconds) | round | int if timed else 0 %}
    <tr><td>{{ stage.name }}</td>{{ host_cell(stage.host) }}
      <td>{{ pill(stage_tones[stage.outcome], stage.outcome) }}</td>
      <td class="n">{{ "" if stage.seconds is none else stage.seconds | seconds }}</td>
      <td class="n">{{ stage.budget_seconds | budget if stage.budget_seconds else "" }}</td>
      <td>{% if timed %}<span class="use{% if used > 100 %} over{% endif %}" role="img"
        aria-label="{{ used }} % of the budget"><i style="width:{{ [used, 100] | min }}%"></i></span>{% endif %}
      </td></tr>
    {% endfor %}
    </tbody>
  </table></div>
</section>
{% endif %}

{% if r.preflight %}
<details class="card" id="preflight"{% if preflight_failed %} open{% endif %}>
  <summary>Preflight checks</summary>
  {% if r.preflight | map(attribute="groups", default=[]) | sum(start=[]) %}
  <div class="scroll"><table id="readiness">
    <thead><tr><th>Group</th>{{ host_head() }}<th>Passed</th><th>Score</th><th>Checks</th></tr></thead>
    <tbody>
    {% for block in r.preflight %}{% for group in block.groups %}
    <tr><td>{{ group.name | replace("_", " ") }}</td>{{ host_cell(block.host) }}
      <td>{{ passed(group.passed, group.waived) }}</td>
      <td>{{ group.score | round(1) }}</td><td>{{ group.checks | join(", ") }}</td></tr>
    {% endfor %}
    <tr><th>readiness</th>{{ host_cell(block.host) }}<td></td><th>{{ block.score }}</th><td></td></tr>
    {% endfor %}
    </tbody>
  </table></div>
  {% endif %}
  <div class="scroll"><table>
    <thead><tr><th>Check</th>{{ host_head() }}<th>Passed</th><th>Found</th></tr></thead>
    <tbody>
    {% for block in r.preflight %}{% for check in block.checks %}
    <tr><td>{{ check.name }}</td>{{ host_cell(block.host) }}
      <td>{{ passed(check.passed, check.waived) }}</td>
      <td>{{ check.message or check.value or "" }}</td></tr>
    {% endfor %}{% endfor %}
    </tbody>
  </table></div>
</details>
{% endif %}

<details class="card" id="hosts">
  <summary>Hosts and journal</summary>
  <div class="scroll"><table>
    <thead><tr><th>Host</th><th>Outcome</th><th>Came from</th><th>Head of its journal</th></tr></thead>
    <tbody>
    {% for host in r.hosts %}
    <tr><td>{{ host.host }}</td><td>{{ host.outcome | replace("_", " ") }}</td><td>{{ host.from or "" }}</td>
      <td class="mono">{{ host.journal_head or "" }}</td></tr>
    {% endfor %}
    </tbody>
  </table></div>
</details>

<footer>Sluice. Times are UTC. Written from the journal;
  the same figures are in <span class="mono">{{ r.release_id }}.json</span>.</footer>
</main>
</body>
</html>
"""
