// A QR code as one SVG path; the encoder is loaded when the first one is shown.

import { html, useEffect, useState } from './html.js';

function path(code) {
  let d = '';
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0; x < code.size; x += 1) {
      if (code.get(x, y)) d += `M${x} ${y}h1v1h-1z`;
    }
  }
  return d;
}

export function Qr({ text, label }) {
  const [code, setCode] = useState(null);
  useEffect(() => {
    let wanted = true;
    import('../vendor/lean-qr.js').then(({ generate }) => wanted && setCode(generate(text)));
    return () => {
      wanted = false;
    };
  }, [text]);
  const size = (code?.size ?? 29) + 8;
  return html`
    <svg class="qr" role="img" aria-label=${label} viewBox=${`-4 -4 ${size} ${size}`}>
      ${code && html`<path d=${path(code)} />`}
    </svg>`;
}
