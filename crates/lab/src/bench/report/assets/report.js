'use strict';
(() => {
  const data = JSON.parse(document.getElementById('data').textContent);
  const $ = (id) => document.getElementById(id);
  const NS = 'http://www.w3.org/2000/svg';
  const COLOURS = 7;

  // All text goes through textContent, so that no name is read as markup.
  function svg(name, attributes, parent, text) {
    const e = document.createElementNS(NS, name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    if (parent) parent.appendChild(e);
    return e;
  }
  function html(name, properties, parent) {
    const e = Object.assign(document.createElement(name), properties);
    if (parent) parent.appendChild(e);
    return e;
  }

  // ---- axes and markers
  const MARKERS = [
    (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
    (r) => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
    (r) => `M0 ${-1.2 * r}L${1.15 * r} ${0.9 * r}H${-1.15 * r}z`,
    (r) => `M0 ${-1.35 * r}L${1.35 * r} 0L0 ${1.35 * r}L${-1.35 * r} 0z`,
    (r) => `M0 ${1.2 * r}L${1.15 * r} ${-0.9 * r}H${-1.15 * r}z`,
    (r) => `M${-r} ${-r}L${r} ${r}M${-r} ${r}L${r} ${-r}`,
    (r) => `M0 ${-1.3 * r}V${1.3 * r}M${-1.3 * r} 0H${1.3 * r}`,
    (r) => `M${-r} ${-0.5 * r}L0 ${-1.3 * r}L${r} ${-0.5 * r}V${0.6 * r}L0 ${1.3 * r}L${-r} ${0.6 * r}z`,
  ];
  function linearTicks(low, high, count) {
    const raw = (high - low) / Math.max(count, 1);
    const unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((f) => f * unit).find((s) => s >= raw * 0.999);
    const ticks = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) ticks.push(k * step);
    return ticks;
  }
  function logTicks(low, high, count) {
    const all = (factors) => {
      const ticks = [];
      for (let d = Math.floor(Math.log10(low)); d <= Math.log10(high); d++) {
        for (const f of factors) {
          const t = f * 10 ** d;
          if (t >= low * 0.9999 && t <= high * 1.0001) ticks.push(t);
        }
      }
      return ticks;
    };
    const fine = all([1, 2, 5]);
    if (fine.length < 3) return linearTicks(low, high, count);
    return fine.length <= count + 2 ? fine : all([1]);
  }
  const number = (v) => String(Number(v.toPrecision(4)));

  const tip = $('tip');
  function showTip(event, text) {
    tip.hidden = false;
    tip.textContent = text;
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - w - 4)) + 'px';
    tip.style.top = (event.clientY + 18 + h > innerHeight ? event.clientY - h - 12 : event.clientY + 18) + 'px';
  }

  // series: {key, name, colour, marker, open, dashed, line, dots, points: [{x, y, tip}]}
  function chart(box, series, x, yLabel) {
    box.textContent = '';
    const width = Math.max(280, box.clientWidth), height = Math.round(Math.min(480, Math.max(280, width * 0.55)));
    const left = 54, right = 14, top = 12, bottom = 46;
    const usable = (p) => Number.isFinite(p.x) && Number.isFinite(p.y) && (!x.log || p.x > 0);
    const shown = series.map((s) => ({ ...s, points: s.points.filter(usable) })).filter((s) => s.points.length);
    const xs = shown.flatMap((s) => s.points.map((p) => p.x)), ys = shown.flatMap((s) => s.points.map((p) => p.y));
    const root = svg('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img', 'aria-label': `${yLabel} over ${x.label}` }, box);
    if (!xs.length) {
      svg('text', { x: width / 2, y: height / 2, 'text-anchor': 'middle', class: 'axis' }, root, 'no such figures here');
      return;
    }
    const least = (v) => v.reduce((a, b) => Math.min(a, b)), most = (v) => v.reduce((a, b) => Math.max(a, b));
    let [x0, x1, y0, y1] = [least(xs), most(xs), least(ys), most(ys)];
    if (x.log) {
      const pad = Math.max((x1 / x0) ** 0.04, 1.05);
      x0 /= pad; x1 *= pad;
    } else {
      const pad = (x1 - x0) * 0.04 || Math.abs(x1) * 0.1 || 1;
      x0 = Math.max(0, x0 - pad); x1 += pad;
    }
    const padY = (y1 - y0) * 0.06 || 1;
    y0 -= padY; y1 += padY;
    const f = x.log ? Math.log10 : (v) => v;
    const px = (v) => left + (f(v) - f(x0)) / (f(x1) - f(x0)) * (width - left - right);
    const py = (v) => height - bottom - (v - y0) / (y1 - y0) * (height - top - bottom);
    for (const t of (x.log ? logTicks : linearTicks)(x0, x1, Math.floor((width - left) / 85))) {
      svg('line', { x1: px(t), x2: px(t), y1: top, y2: height - bottom, class: 'grid' }, root);
      svg('text', { x: px(t), y: height - bottom + 17, 'text-anchor': 'middle', class: 'tick' }, root, number(t));
    }
    for (const t of linearTicks(y0, y1, Math.floor(height / 55))) {
      svg('line', { x1: left, x2: width - right, y1: py(t), y2: py(t), class: 'grid' }, root);
      svg('text', { x: left - 7, y: py(t) + 4, 'text-anchor': 'end', class: 'tick' }, root, number(t));
    }
    svg('rect', { x: left, y: top, width: width - left - right, height: height - top - bottom, class: 'frame' }, root);
    svg('text', { x: (left + width - right) / 2, y: height - 8, 'text-anchor': 'middle', class: 'axis' }, root, x.label);
    svg('text', { transform: `translate(14 ${(top + height - bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle', class: 'axis' }, root, yLabel);
    const targets = [];
    for (const s of shown) {
      const g = svg('g', { class: `k${s.colour}`, 'data-curve': s.name }, root);
      if (s.line && s.points.length > 1) {
        const points = s.points.map((p) => `${px(p.x).toFixed(1)},${py(p.y).toFixed(1)}`).join(' ');
        svg('polyline', { points, class: 'curve' + (s.dashed ? ' dashed' : '') + (s.dots ? '' : ' progress') }, g);
      }
      if (!s.dots) continue;
      for (const p of s.points) {
        const at = [px(p.x), py(p.y)];
        const d = MARKERS[s.marker % MARKERS.length](s.open ? 3.4 : 4.4);
        const mark = svg('path', { d, transform: `translate(${at[0].toFixed(1)} ${at[1].toFixed(1)})`, class: 'pt' + (s.open ? ' open' : '') }, g);
        svg('title', {}, mark, p.tip);
        targets.push({ at, tip: p.tip });
      }
    }
    const ring = svg('circle', { r: 8, class: 'ring', visibility: 'hidden' }, root);
    const leave = () => { tip.hidden = true; ring.setAttribute('visibility', 'hidden'); };
    const move = (event) => {
      const r = root.getBoundingClientRect(), scale = width / r.width;
      const [mx, my] = [(event.clientX - r.left) * scale, (event.clientY - r.top) * scale];
      let best = null, distance = 32;
      for (const t of targets) {
        const d = Math.hypot(t.at[0] - mx, t.at[1] - my);
        if (d < distance) [best, distance] = [t, d];
      }
      if (!best) return leave();
      ring.setAttribute('cx', best.at[0]);
      ring.setAttribute('cy', best.at[1]);
      ring.setAttribute('visibility', 'visible');
      showTip(event, best.tip);
    };
    root.addEventListener('pointermove', move);
    root.addEventListener('pointerdown', move);
    root.addEventListener('pointerleave', leave);
  }

  // ---- the curves
  const state = { view: 0, metric: data.metrics.length ? data.metrics[0].key : '', hidden: new Set() };
  data.published.forEach((p) => { if (!p.shown) state.hidden.add('published ' + p.name); });
  const metric = () => data.metrics.find((m) => m.key === state.metric) || { key: '', axis: '', name: '' };
  const label = (c) => data.curves[c].name + (data.curves[c].weak ? ' (weak)' : '');

  function series(view) {
    const own = data.curves.map((c, n) => ({
      key: 'own ' + c.name, name: label(n), colour: n % COLOURS, marker: n, line: true, dots: true,
      source: view.points.filter((p) => p.curve === n),
    }));
    const published = [];
    if (view.published && metric().key === data.published_metric) {
      data.published.forEach((p, n) => {
        if (p.sequence !== view.published) return;
        const colour = p.style % COLOURS, apart = view.apart.includes(n);
        published.push({
          key: 'published ' + p.name, name: p.name + (p.weak ? ' (weak)' : '') + (apart ? ' (not comparable)' : ''), colour, marker: p.style + 2, line: true, dots: true, dashed: true, open: true,
          points: p.bpp.map((b, i) => ({ x: b, y: p.psnr[i], tip: `${p.name}, published\n${number(b)} bpp, ${p.psnr[i].toFixed(2)} dB${apart ? '\nof other pictures: not comparable' : ''}${p.note ? '\n' + p.note : ''}` })),
        });
      });
    }
    return [own.filter((s) => s.source.length), published];
  }
  function tipOf(p) {
    const lines = [label(p.curve), p.point, `${number(p.bpp)} bpp`];
    for (const m of data.metrics) if (p.q[m.key]) lines.push(`${m.name} ${p.q[m.key][0].toFixed(m.key === 'ms_ssim_y' ? 4 : 2)}`);
    lines.push(`encoding ${number(p.enc_s)} s` + (p.dec_fps ? `, decoding ${number(p.dec_fps)} frames/s` : ''));
    return lines.join('\n');
  }
  function legendButton(s, box) {
    const b = html('button', { type: 'button', title: 'show or hide' }, box);
    b.setAttribute('aria-pressed', String(!state.hidden.has(s.key)));
    const swatch = svg('svg', { width: 30, height: 14, viewBox: '-15 -7 30 14', class: `k${s.colour}`, 'aria-hidden': 'true' }, b);
    svg('path', { d: 'M-15 0H15', class: 'curve' + (s.dashed ? ' dashed' : '') }, swatch);
    svg('path', { d: MARKERS[s.marker % MARKERS.length](s.open ? 3.4 : 4.4), class: 'pt' + (s.open ? ' open' : '') }, swatch);
    b.appendChild(document.createTextNode(s.name));
    b.addEventListener('click', () => {
      if (!state.hidden.delete(s.key)) state.hidden.add(s.key);
      draw();
    });
  }
  function draw() {
    const view = data.views[state.view];
    if (!view) return;
    const m = metric();
    const [own, published] = series(view);
    for (const s of own) s.points = s.source.filter((p) => p.q[m.key]).map((p) => ({ x: p.bpp, y: p.q[m.key][1], tip: tipOf(p) }));
    const visible = (s) => !state.hidden.has(s.key);
    chart($('rd'), [...published, ...own].filter(visible), { label: 'bits a pixel', log: $('logx').checked }, m.axis);
    const box = $('legend');
    box.textContent = '';
    own.forEach((s) => legendButton(s, box));
    if (published.length) {
      const head = html('div', { className: 'head', textContent: 'Published, not measured here: ' }, box);
      for (const [text, on] of [['show all', true], ['hide all', false]]) {
        const b = html('button', { type: 'button', textContent: text }, head);
        b.addEventListener('click', () => {
          published.forEach((s) => (on ? state.hidden.delete(s.key) : state.hidden.add(s.key)));
          draw();
        });
      }
      published.forEach((s) => legendButton(s, box));
    }
    $('view-note').textContent = view.note;
    // time
    const timed = [];
    for (const s of own.filter(visible)) {
      if (m.key.startsWith('psnr')) {
        s.source.filter((p) => p.progress.length).forEach((p) => timed.push({
          ...s, dots: false, points: p.progress.map(([t, q]) => ({ x: t, y: q })),
        }));
      }
      timed.push({ ...s, line: false, points: s.source.filter((p) => p.q[m.key]).map((p) => ({ x: p.enc_s, y: p.q[m.key][1], tip: tipOf(p) })) });
    }
    const none = !own.length;
    $('time').hidden = none;
    if (!none) chart($('time-chart'), timed, { label: 'seconds of encoding', log: true }, m.axis);
    document.querySelectorAll('#bits [data-view]').forEach((e) => { e.hidden = Number(e.dataset.view) !== state.view; });
    const bits = $('bits');
    if (bits) $('no-bits').hidden = !!bits.querySelector(`[data-view="${state.view}"]`);
  }

  // ---- decoded pictures
  const stage = $('stage');
  if (stage) {
    const canvas = $('canvas'), context = canvas.getContext('2d', { willReadFrequently: true });
    const loaded = new Map();
    let images = [null, null], turn = 0, difference = null;
    async function load(id) {
      if (!loaded.has(id)) {
        const img = $('pic-' + id);
        img.loading = 'eager';
        loaded.set(id, img.decode().then(() => img));
      }
      return loaded.get(id);
    }
    const pictures = () => data.pictures.filter((p) => p.view === Number($('picture-view').value));
    function fill(select, wanted) {
      select.textContent = '';
      pictures().forEach((p) => html('option', { value: p.id, textContent: p.label }, select));
      if (wanted) select.value = wanted.id;
    }
    async function choose() {
      const mine = ++turn;
      const ids = [$('left').value, $('right').value];
      const both = await Promise.all(ids.map(load)).catch(() => null);
      if (mine !== turn) return;
      $('picture-error').hidden = !!both;
      if (!both) return;
      images = both;
      difference = null;
      $('left-caption').textContent = $('left').selectedOptions[0].textContent;
      $('right-caption').textContent = $('right').selectedOptions[0].textContent;
      paint();
    }
    function pixels(image, w, h) {
      const c = html('canvas', { width: w, height: h });
      const x = c.getContext('2d', { willReadFrequently: true });
      x.drawImage(image, 0, 0, w, h);
      return x.getImageData(0, 0, w, h);
    }
    function paint() {
      const [a, b] = images;
      if (!a || !b) return;
      const mode = $('mode').value;
      const w = a.naturalWidth, h = a.naturalHeight, gap = 4;
      const wide = mode === 'side' ? 2 * w + gap : w;
      if (canvas.width !== wide || canvas.height !== h) { canvas.width = wide; canvas.height = h; }
      context.clearRect(0, 0, wide, h);
      const zoom = Number($('zoom').value);
      stage.classList.toggle('zoomed', zoom > 0);
      canvas.style.width = zoom > 0 ? wide * zoom + 'px' : '';
      $('amplify-label').hidden = mode !== 'difference';
      $('wipe').hidden = $('border').hidden = mode !== 'wipe';
      if (mode === 'side') {
        context.drawImage(a, 0, 0);
        context.drawImage(b, w + gap, 0, w, h);
      } else if (mode === 'difference') {
        const amplify = Number($('amplify').value);
        $('amplify-value').textContent = amplify + '×';
        if (!difference) {
          const [p, q] = [pixels(a, w, h).data, pixels(b, w, h).data];
          difference = new Uint8ClampedArray(p.length);
          for (let i = 0; i < p.length; i++) difference[i] = Math.abs(p[i] - q[i]);
        }
        const out = context.createImageData(w, h);
        for (let i = 0; i < difference.length; i++) out.data[i] = (i & 3) === 3 ? 255 : difference[i] * amplify;
        context.putImageData(out, 0, 0);
      } else {
        const at = Math.round(w * Number($('wipe').value) / 1000);
        context.drawImage(b, 0, 0, w, h);
        if (at > 0) context.drawImage(a, 0, 0, at, h, 0, 0, at, h);
        $('border').style.left = 100 * at / w + '%';
      }
    }
    function sequence() {
      const all = pictures();
      fill($('left'), all[0]);
      fill($('right'), all[1] || all[0]);
      choose();
    }
    const views = [...new Set(data.pictures.map((p) => p.view))];
    views.forEach((v) => html('option', { value: v, textContent: data.views[v].name }, $('picture-view')));
    $('picture-view').addEventListener('change', sequence);
    $('left').addEventListener('change', choose);
    $('right').addEventListener('change', choose);
    for (const id of ['mode', 'amplify', 'wipe', 'zoom']) $(id).addEventListener('input', paint);
    let dragging = false;
    const drag = (event) => {
      if ($('mode').value !== 'wipe') return;
      const r = canvas.getBoundingClientRect();
      $('wipe').value = Math.round(1000 * Math.min(1, Math.max(0, (event.clientX - r.left) / r.width)));
      paint();
    };
    canvas.addEventListener('pointerdown', (event) => { dragging = true; drag(event); });
    addEventListener('pointermove', (event) => { if (dragging) drag(event); });
    addEventListener('pointerup', () => { dragging = false; });
    addEventListener('pointercancel', () => { dragging = false; });
    sequence();
  }

  // ---- start
  document.querySelectorAll('.js').forEach((e) => { e.hidden = false; });
  data.views.forEach((v, n) => html('option', { value: n, textContent: v.label }, $('view')));
  data.metrics.forEach((m) => html('option', { value: m.key, textContent: m.name }, $('metric')));
  $('view').addEventListener('change', (e) => { state.view = Number(e.target.value); draw(); });
  $('metric').addEventListener('change', (e) => { state.metric = e.target.value; draw(); });
  $('logx').addEventListener('change', draw);
  if (!data.views.length) document.querySelectorAll('#curves .js, #time').forEach((e) => { e.hidden = true; });
  const theme = $('theme');
  theme.hidden = false;
  theme.addEventListener('click', () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
  });
  let width = 0;
  new ResizeObserver(() => {
    if (document.body.clientWidth !== width) {
      width = document.body.clientWidth;
      draw();
    }
  }).observe(document.body);
})();
