#include "reports/html/style.h"

namespace deformdiff::html {

std::string_view style_sheet() {
  return R"(
:root{color-scheme:light dark;--page:#f6f5f2;--card:#fff;--ink:#1b1e24;--muted:#5b626e;--line:#d9dce2;
--link:#1d4f9f;--bad:#b3261e;--bad-soft:#fbe6e3;--good:#17663f;--good-soft:#e0f1e7;--note:#7a5200;--note-soft:#fdf0d5;
--plus:#3b78c3;--minus:#b8762a;--point:#111;--corner:#7b2fbf;--bar:#6d87ab;
--a:#7a8ca8;--b:#c79a4b;--c:#5d9c74;--d:#8a6bb5;--e:#c4707d}
@media(prefers-color-scheme:dark){:root{--page:#121419;--card:#1b1e25;--ink:#e8eaef;--muted:#9fa8b6;--line:#353b47;
--link:#8db9ff;--bad:#ff8f82;--bad-soft:#43211e;--good:#7fd3a4;--good-soft:#173526;--note:#f0c674;--note-soft:#3a2e14;
--plus:#5f9be6;--minus:#d69a52;--point:#fff;--corner:#cf9bff;--bar:#7d97bd}}
*{box-sizing:border-box}
html{scroll-behavior:smooth}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
header,main,footer,nav{max-width:1120px;margin:0 auto;padding:0 20px}
a{color:var(--link)}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--card);padding:8px;z-index:1}
.verdict{margin-top:24px;padding:20px 24px;border-radius:12px;border-left:10px solid;background:var(--card)}
.verdict h1{margin:0;font-size:1.75rem;line-height:1.2;text-wrap:balance}
.verdict p{margin:6px 0 0;color:var(--muted)}
.verdict.bad{border-color:var(--bad);background:var(--bad-soft)}.verdict.bad h1{color:var(--bad)}
.verdict.good{border-color:var(--good);background:var(--good-soft)}.verdict.good h1{color:var(--good)}
.verdict.note{border-color:var(--note);background:var(--note-soft)}.verdict.note h1{color:var(--note)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(138px,1fr));gap:12px;margin:16px 0;padding:0}
.tiles div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px;
display:flex;flex-direction:column-reverse;justify-content:flex-end}
.tiles dt{overflow-wrap:normal;color:var(--muted);font-size:.85rem;line-height:1.3}
.tiles dd{margin:0;font-size:1.6rem;font-weight:650;line-height:1.2;font-variant-numeric:tabular-nums}
.tiles .bad dd{color:var(--bad)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px;margin:0;padding:0;font-size:.95rem}
nav a{display:inline-block;padding:4px 0}
section{margin:36px 0}
h2{font-size:1.35rem;margin:0 0 12px;padding-bottom:6px;border-bottom:1px solid var(--line)}
h3{font-size:1.1rem;margin:0 0 2px;line-height:1.3}
h4{font-size:.95rem;margin:14px 0 4px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 20px;margin:14px 0}
.finding{border-left:5px solid var(--bad)}.finding.excused{border-left-color:var(--note)}
.where{color:var(--muted);margin:0;font-size:.92rem}
.sentence{font-size:1.05rem;margin:10px 0}
.group,.status{display:inline-block;background:var(--note-soft);color:var(--note);border-radius:6px;padding:2px 10px;margin:0 0 8px}
.drawn{display:flex;flex-wrap:wrap;gap:12px 28px;align-items:flex-start}
.whole{white-space:nowrap}.drawn .scroll{flex:0 1 auto;max-width:100%;margin:8px 0}.drawn figcaption{max-width:34ch}
figure{margin:8px 0;max-width:100%;overflow-x:auto}
figcaption{color:var(--muted);font-size:.85rem;max-width:46ch}
svg{display:block;max-width:100%;height:auto}svg.bar{display:inline-block;max-width:none;vertical-align:-1px;margin-left:12px}
pre{margin:8px 0;padding:10px 12px;background:var(--page);border:1px solid var(--line);border-radius:8px;overflow-x:auto;
white-space:pre-wrap;user-select:all}
code,pre{font:0.88rem/1.45 ui-monospace,monospace}
.facts{color:var(--muted);font-size:.92rem;margin:8px 0 0;padding-left:20px}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px;margin:10px 0}
table{border-collapse:collapse;width:100%;font-size:.92rem;overflow-wrap:normal}
caption{text-align:left;max-width:calc(100vw - 44px);padding:10px 12px;color:var(--muted);font-size:.88rem}
th,td{padding:5px 12px;text-align:left;vertical-align:middle;border-top:1px solid var(--line)}
thead th{font-weight:600;white-space:nowrap}
tbody th{font-weight:500}
th.block{background:var(--page);font-weight:650}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.bad,.bad-text{color:var(--bad);font-weight:650}
.quiet{color:var(--muted)}
details{margin:8px 0}summary{cursor:pointer;padding:4px 0}
td.rail{width:20px;min-width:20px;padding:0;position:relative}
tbody .rail::before{content:"";position:absolute;left:9px;top:0;bottom:0;width:2px;background:var(--line)}
tbody .rail::after{content:"";position:absolute;left:5px;top:50%;margin-top:-5px;width:10px;height:10px;border-radius:50%;
background:var(--good)}
tbody .wrong .rail::after{background:var(--bad)}tbody .idle .rail::after{background:var(--muted)}
tr.first{background:var(--bad-soft)}
.list{columns:3 260px;padding-left:18px;margin:8px 0;font-size:.92rem}.list li{break-inside:avoid;margin:0 0 3px}
.grids{display:flex;flex-wrap:wrap;gap:10px 24px}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:2px 18px;padding:0;margin:6px 0;font-size:.9rem}
.key i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px}
footer{color:var(--muted);font-size:.85rem;padding-bottom:32px}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
svg .m{text-anchor:middle}svg .e{text-anchor:end}svg .q{fill:var(--muted);font-size:11px}svg .b{fill:var(--bad);font-weight:650}
svg .g{fill:var(--good)}
.cell{fill:var(--card);stroke:var(--line)}.plus{fill:var(--plus)}.minus{fill:var(--minus)}.odd{fill:var(--bad);fill-opacity:.35}
.pad{fill:none;stroke:var(--muted);stroke-opacity:.55;stroke-dasharray:3 3}.reach{fill:none;stroke:var(--ink);stroke-dasharray:2 3}.edge{fill:none;stroke:var(--ink);stroke-width:1.5}
.corner{fill:none;stroke:var(--corner);stroke-width:2.5}.point{fill:var(--point);stroke:var(--card);stroke-width:1.5}
.band{fill:var(--good);fill-opacity:.35;stroke:var(--good)}.got{fill:var(--bad)}.axis{stroke:var(--muted);fill:none}
.ok{fill:var(--bar)}.over{fill:var(--bad)}.one{stroke:var(--ink);stroke-dasharray:3 2}
.wrongs{fill:var(--bad);fill-opacity:.4}.worst{fill:var(--bad)}.track{fill:var(--line);fill-opacity:.5}
.h0{fill:var(--plus);fill-opacity:.6}.h1{fill:var(--plus);fill-opacity:.25}.h2{fill:var(--line);fill-opacity:.5}
.h3{fill:var(--bad);fill-opacity:.35}.h4{fill:var(--bad);fill-opacity:.65}.h5{fill:var(--bad)}
.ta{fill:var(--a);background:var(--a)}.tb{fill:var(--b);background:var(--b)}.tc{fill:var(--c);background:var(--c)}
.td{fill:var(--d);background:var(--d)}.te{fill:var(--e);background:var(--e)}
@media(max-width:600px){header,main,footer,nav{padding:0 12px}.verdict{padding:14px 16px}.verdict h1{font-size:1.35rem}
.card{padding:12px}.tiles{grid-template-columns:repeat(2,1fr);gap:8px}.tiles dd{font-size:1.3rem}th,td{padding:5px 8px}
.stack thead{display:none}.stack tr{display:block;border-top:1px solid var(--line);padding:6px 8px}
.stack td{display:inline-block;max-width:100%;border:0;padding:0 8px 0 0;overflow-wrap:anywhere}
.stack td:last-child{display:none}svg.bar{display:none}td.rail+th{overflow-wrap:anywhere;min-width:19ch}}
@media print{:root{--page:#fff}body{font-size:11pt}nav,.skip{display:none}.card,figure,tr{break-inside:avoid}
h2,h3{break-after:avoid}.scroll,figure{overflow:visible}details::details-content{content-visibility:visible}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)";
}

}  // namespace deformdiff::html
