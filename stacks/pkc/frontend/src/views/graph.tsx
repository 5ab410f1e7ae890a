/** Documents and their links as a picture; the same as a list beside it, for keyboards and screen readers. */
import {
  forceCenter,
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type SimulationNodeDatum,
} from 'd3-force';
import { useEffect, useRef } from 'preact/hooks';
import type { Graph } from '../../../api.ts';
import { getJson } from '../lib/client.ts';
import { navigate } from '../lib/router.ts';
import { Shown, useLoaded } from '../parts/loading.tsx';

interface Node extends SimulationNodeDatum {
  id: string;
  title: string;
  type: 'note' | 'file';
  links: number;
  r: number;
}

export function GraphView() {
  const [loaded, again] = useLoaded((signal) => getJson<Graph>('/v1/graph', signal), '');
  return (
    <section class="graph" aria-label="Graph">
      <h1>Graph</h1>
      <Shown of={loaded} retry={again}>
        {(graph) =>
          graph.nodes.length === 0 ? (
            <p class="hint">Nothing here yet. Notes that link to each other, with [[titles]], show here.</p>
          ) : (
            <>
              <p class="meta">
                {graph.nodes.length} documents, {graph.edges.length} links
                {graph.truncated ? '; the best linked and newest are shown' : ''}. Drag to move, wheel to zoom, click to
                open.
              </p>
              <Canvas graph={graph} />
              <details>
                <summary>The same as a list</summary>
                <ul class="columns">
                  {graph.nodes
                    .toSorted((a, b) => b.links - a.links)
                    .slice(0, 300)
                    .map((node) => (
                      <li key={node.id}>
                        <a href={`/d/${node.id}`}>{node.title}</a>{' '}
                        <span class="meta">{node.links === 1 ? '1 link' : `${node.links} links`}</span>
                      </li>
                    ))}
                </ul>
              </details>
            </>
          )
        }
      </Shown>
    </section>
  );
}

function Canvas({ graph }: { graph: Graph }) {
  const element = useRef<HTMLCanvasElement>(null);
  useEffect(() => (element.current === null ? undefined : draw(element.current, graph)), [graph]);
  return (
    <canvas
      ref={element}
      role="img"
      aria-label={`${graph.nodes.length} documents and ${graph.edges.length} links between them`}
    />
  );
}

/** @returns what ends it */
function draw(canvas: HTMLCanvasElement, graph: Graph): () => void {
  const context = canvas.getContext('2d')!;
  const nodes: Node[] = graph.nodes.map((node) => ({ ...node, r: 4 + Math.min(10, Math.sqrt(node.links) * 2) }));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const edges = graph.edges.map(({ from, to }) => ({ source: byId.get(from)!, target: byId.get(to)! }));
  const view = { x: 0, y: 0, k: 1 };
  let size = { width: 1, height: 1 };
  let dragged: Node | undefined;
  let hovered: Node | undefined;

  const simulation = forceSimulation(nodes)
    .force('link', forceLink(edges).distance(60).strength(0.4))
    .force(
      'charge',
      forceManyBody<Node>()
        .strength(nodes.length > 500 ? -30 : -90)
        .distanceMax(400),
    )
    .force('center', forceCenter(0, 0))
    .force('x', forceX<Node>(0).strength(0.04))
    .force('y', forceY<Node>(0).strength(0.06))
    .force(
      'collide',
      forceCollide<Node>().radius((node) => node.r + 3),
    )
    .on('tick', () => paint());
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
    simulation.stop();
    simulation.tick(200);
  }

  const resize = (): void => {
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = devicePixelRatio;
    size = { width, height };
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    paint();
  };
  const observer = new ResizeObserver(resize);
  observer.observe(canvas);

  function paint(): void {
    const style = getComputedStyle(canvas);
    const color = (name: string): string => style.getPropertyValue(name).trim();
    context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    context.translate(size.width / 2 + view.x, size.height / 2 + view.y);
    context.scale(view.k, view.k);
    context.lineWidth = 1 / view.k;
    context.strokeStyle = color('--line');
    context.beginPath();
    for (const { source, target } of edges) {
      context.moveTo(source.x ?? 0, source.y ?? 0);
      context.lineTo(target.x ?? 0, target.y ?? 0);
    }
    context.stroke();
    for (const node of nodes) {
      context.fillStyle =
        node === hovered ? color('--text') : node.type === 'note' ? color('--accent') : color('--quiet');
      context.beginPath();
      context.arc(node.x ?? 0, node.y ?? 0, node.r, 0, 2 * Math.PI);
      context.fill();
    }
    label(color('--text'));
  }

  /** The best linked first; one that would lie over another is left out. */
  function label(color: string): void {
    context.fillStyle = color;
    context.font = `${12 / view.k}px system-ui, sans-serif`;
    context.textAlign = 'center';
    const taken: { x: number; y: number; w: number }[] = [];
    const height = 14 / view.k;
    for (const node of [
      ...(hovered === undefined ? [] : [hovered]),
      ...nodes.toSorted((a, b) => b.links - a.links).slice(0, 200),
    ]) {
      const text = node.title.length > 32 ? `${node.title.slice(0, 31)}…` : node.title;
      const [x, y, w] = [node.x ?? 0, (node.y ?? 0) + node.r + height, context.measureText(text).width];
      if (taken.some((other) => Math.abs(other.y - y) < height && Math.abs(other.x - x) < (other.w + w) / 2)) continue;
      taken.push({ x, y, w });
      context.fillText(text, x, y);
    }
  }

  const at = (event: PointerEvent | WheelEvent): { x: number; y: number } => {
    const box = canvas.getBoundingClientRect();
    return {
      x: (event.clientX - box.left - size.width / 2 - view.x) / view.k,
      y: (event.clientY - box.top - size.height / 2 - view.y) / view.k,
    };
  };
  const nodeAt = (point: { x: number; y: number }): Node | undefined =>
    nodes.findLast((node) => Math.hypot((node.x ?? 0) - point.x, (node.y ?? 0) - point.y) < node.r + 4 / view.k);

  let from: { x: number; y: number; moved: boolean } | undefined;
  const down = (event: PointerEvent): void => {
    dragged = nodeAt(at(event));
    from = { x: event.clientX, y: event.clientY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent): void => {
    if (from === undefined) {
      const next = nodeAt(at(event));
      if (next !== hovered) {
        hovered = next;
        canvas.classList.toggle('over', next !== undefined);
        paint();
      }
      return;
    }
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) < 4 && !from.moved) return;
    if (dragged !== undefined) {
      const point = at(event);
      dragged.fx = point.x;
      dragged.fy = point.y;
      simulation.alpha(0.2).restart();
    } else {
      view.x += event.clientX - from.x;
      view.y += event.clientY - from.y;
      paint();
    }
    from = { x: event.clientX, y: event.clientY, moved: true };
  };
  const up = (): void => {
    if (from?.moved === false && dragged !== undefined) navigate(`/d/${dragged.id}`);
    if (dragged !== undefined) {
      dragged.fx = null;
      dragged.fy = null;
    }
    from = undefined;
    dragged = undefined;
  };
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const before = at(event);
    view.k = Math.min(6, Math.max(0.1, view.k * 1.0015 ** -event.deltaY));
    const after = at(event);
    view.x += (after.x - before.x) * view.k;
    view.y += (after.y - before.y) * view.k;
    paint();
  };
  canvas.addEventListener('pointerdown', down);
  canvas.addEventListener('pointermove', move);
  canvas.addEventListener('pointerup', up);
  canvas.addEventListener('wheel', wheel, { passive: false });
  return () => {
    simulation.stop();
    observer.disconnect();
    canvas.removeEventListener('pointerdown', down);
    canvas.removeEventListener('pointermove', move);
    canvas.removeEventListener('pointerup', up);
    canvas.removeEventListener('wheel', wheel);
  };
}
