"""Owns how the page of `celsched stats report` looks, by day and by night, wide and narrow. It never holds content."""

STYLE = """
:root{color-scheme:light dark;--back:#f6f7f9;--card:#fff;--line:#e3e6ea;--ink:#1c2330;--soft:#667085;--good:#2f9e6e;
--bad:#d6453d;--fair:#b7791f}
@media(prefers-color-scheme:dark){:root{--back:#12161d;--card:#1a2029;--line:#2b333f;--ink:#e6e9ef;--soft:#97a1b0;
--good:#3fb984;--bad:#ef6a61;--fair:#dba13c}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:14px/1.5 system-ui,"Segoe UI",Vazirmatn,Tahoma,sans-serif}
main{max-width:1240px;margin:0 auto;padding:28px 20px}
header{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:4px 16px;margin-bottom:16px}
h1{font-size:22px;margin:0}
header p,footer{color:var(--soft);margin:0}
footer{font-size:12px;margin-top:20px}
h2{font-size:13px;font-weight:600;color:var(--soft);margin:0 0 10px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:14px;margin-bottom:14px}
.card,section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px 18px}
.card h2{margin:0}
.card b{display:block;font-size:28px;line-height:1.3;font-variant-numeric:tabular-nums}
.card p{margin:0;color:var(--soft);font-size:12px}
section{margin-bottom:14px;min-width:0}
.columns{columns:340px;column-gap:14px;margin-bottom:14px}.columns section{break-inside:avoid;overflow-x:auto}
.chart{position:relative;display:flex;height:210px;padding-top:18px;font-variant-numeric:tabular-nums}
.chart>div{flex:1;min-width:0;display:flex;flex-direction:column;align-items:center;position:relative}
.chart span{height:20px;font-size:11px;color:var(--soft);white-space:nowrap;overflow:visible;padding-top:3px}
.chart .scale{position:absolute;inset:18px 0 20px;display:block}
.scale u{position:absolute;left:0;right:0;border-top:1px solid var(--line)}
.scale u:first-child{border-color:var(--soft)}
.scale span{position:absolute;right:calc(100% + 6px);top:-12px}
.stack{flex:1;width:84%;max-width:110px;display:flex;flex-direction:column;justify-content:flex-end}
.stack i{display:block;flex:none}.stack i.bad:first-of-type,.stack i.good:first-of-type{border-radius:3px 3px 0 0}
.stack b{flex:none;font-size:11px;font-weight:500;text-align:center;line-height:16px}
i.good{background:var(--good)}i.bad{background:var(--bad)}
.legend{display:flex;flex-wrap:wrap;justify-content:space-between;gap:2px 16px;
color:var(--soft);font-size:12px;margin:6px 0 0}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin:0 5px 0 10px}
.legend i:first-child{margin-left:0}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th{font-size:12px;font-weight:500;color:var(--soft);white-space:nowrap;line-height:1.3}
thead th[rowspan]{vertical-align:bottom}
tr+tr>th:first-child{text-align:right;padding-left:8px}
th.group{text-align:center}th.span{text-align:left}
th,td{text-align:right;padding:6px 8px;border-bottom:1px solid var(--line);vertical-align:middle}
th:first-child,td:first-child{text-align:left;padding-left:0;overflow-wrap:anywhere}
td:not(:first-child){white-space:nowrap}
td .prose{white-space:normal;display:inline-block;text-align:left}
th:last-child,td:last-child{padding-right:0}
tbody tr:last-child td{border-bottom:0}
.wide{overflow-x:auto}.wide td:first-child{min-width:180px}
.rate.good{color:var(--good)}.rate.fair{color:var(--fair)}.rate.bad{color:var(--bad)}
small{color:var(--soft);border:1px solid var(--line);border-radius:4px;padding:0 4px;font-size:11px}
.spark{display:flex;align-items:flex-end;gap:1px;height:22px;width:max-content;min-width:70px;
border-bottom:1px solid var(--soft)}
.spark>i{display:flex;flex-direction:column;justify-content:flex-end;flex:1 0 4px;height:100%}
.spark>i>i{display:block;flex:none}
.none{color:var(--soft);margin:0}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:8px 28px;margin:0;font-size:12px}
dt{font-weight:600;display:inline}dt::after{content:": "}dd{display:inline;margin:0;color:var(--soft)}
.columns:empty{display:none}
@media(max-width:520px){.chart span.second,.stack b{visibility:hidden}
main{padding:18px 10px}.card,section{padding:14px 12px}}
@media print{body{background:none}section,.card{break-inside:avoid}}
"""
