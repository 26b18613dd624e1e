/**
 * The page that `status-page.ts` serves: one file without anything from elsewhere, which asks for `/status.json` every second.
 * Everything from the campaign is put in as text, never as markup.
 */
export const STATUS_HTML = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pio86 campaign</title>
<style>
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark }
  progress { width: 100%; height: 1.4rem }
  table { border-collapse: collapse; width: 100% }
  th, td { text-align: left; padding: .2rem .8rem .2rem 0; font-variant-numeric: tabular-nums }
  pre { overflow-x: auto; padding: .6rem; border: 1px solid }
  #gone { color: #c00 }
</style>
<h1 id="title">pio86 campaign</h1>
<p id="gone" role="status"></p>
<progress id="bar" max="1" value="0"></progress>
<table id="numbers"></table>
<h2>Workers</h2>
<table id="workers"></table>
<h2>Findings</h2>
<div id="findings"></div>
<script>
const at = (id) => document.getElementById(id);
const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
const row = (tag, ...cells) => { const r = make('tr', ''); r.append(...cells.map((c) => make(tag, c))); return r; };
const n = (x) => Number(x).toLocaleString('en');
async function show() {
  try {
    const v = await (await fetch('status.json')).json();
    at('gone').textContent = '';
    at('title').textContent = v.campaign + ': ' + v.target + ', seed ' + v.seed + (v.isEnded ? ', done' : '');
    at('bar').value = v.cases.done / v.cases.all;
    at('numbers').replaceChildren(
      row('td', 'cases', n(v.cases.done) + ' of ' + n(v.cases.all)),
      row('td', 'shards', n(v.shards.done) + ' done, ' + n(v.shards.running) + ' running, ' + n(v.shards.waiting) +
        ' waiting, ' + n(v.shards.left) + ' left'),
      row('td', 'exec/s', n(v.execPerSec)),
      row('td', 'findings', n(v.findings.length) + ' (' + n(v.cases.differing) + ' cases differ)'),
      row('td', 'build', v.build));
    at('workers').replaceChildren(row('th', 'worker', 'host', 'pid', 'threads', 'cases'),
      ...v.workers.map((w) => row('td', w.id, w.host, w.pid, w.threads, n(w.cases))));
    at('findings').replaceChildren(...v.findings.map((f) =>
      make('pre', f.lines.concat(f.differences.map((d) => '# ' + d)).join('\\n'))));
  } catch { at('gone').textContent = 'the coordinator or Redis does not answer'; }
}
show();
setInterval(show, 1000);
</script>
</html>
`;
