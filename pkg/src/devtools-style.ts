// The panel's looks. System colours follow the colour scheme in every browser; a browser without `light-dark()` leaves the accents out.
// Nothing moves, so there is nothing to reduce.

export const STYLE = `
:host{all:initial;color-scheme:light dark;display:block!important}
:host([docked]){position:fixed!important;z-index:2147483647;inset:auto 8px max(8px,env(safe-area-inset-bottom));
max-height:calc(100vh - 16px);display:flex!important;flex-direction:column;align-items:end;gap:4px;pointer-events:none}
@media print{:host{display:none!important}}
section{box-sizing:border-box;display:flex;flex-direction:column;min-height:0;max-width:100%;pointer-events:auto;overflow:hidden;
font:13px/1.4 system-ui,sans-serif;direction:ltr;text-align:left;color:CanvasText;background:Canvas;
border:1px solid #8888;border-radius:6px}
:host([docked]) .open{width:min(720px,100%);max-height:min(480px,50vh)}
button,select{font:inherit;color:inherit;background:none;border:1px solid #8888;border-radius:4px;min-height:28px;padding:2px 8px}
button[aria-expanded]{flex:none;border:0;text-align:left;outline-offset:-2px}
[aria-expanded]::before{content:"";display:inline-block;border:4px solid transparent;border-left-color:currentColor}
[aria-expanded=true]::before{transform:rotate(90deg) translate(2px,2px)}
section>div{overflow:auto;border-top:1px solid #8888;padding:8px;container-type:inline-size}
header{display:flex;flex-wrap:wrap;gap:6px;align-items:center}
p,pre{margin:6px 0}
p,th,span{color:light-dark(#57606a,#9ea7b0)}
table{width:100%;border-collapse:collapse}
th,td{font-weight:400;padding:2px 6px;vertical-align:baseline;text-align:left}
td:first-child{min-width:7em}
pre,td:first-child,td:last-child,td>div{overflow-wrap:anywhere}
.log>thead th{position:sticky;top:-8px;z-index:1;background:Canvas}
.log>tbody{border-top:1px solid #8888}
td button{padding:0 4px;min-height:24px}
.log>:not(.all) div{max-height:2.8em;overflow:hidden}
.n{text-align:right;white-space:nowrap}
.here{color:light-dark(#176f31,#5fd083)}
.remote,.sent,.kept{color:light-dark(#0550ae,#7fbcff)}
i,.failed,.alarm,.degraded{font-style:normal;color:light-dark(#b3261e,#ff9d94)}
td[colspan]{padding:0 6px 6px 16px;overflow-wrap:break-word}
pre{white-space:pre-wrap;border:1px solid #8888;padding:4px 6px}
@container(max-width:480px){.wide{display:none}th,td{padding:2px 3px}}
`;
