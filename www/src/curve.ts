import { byId, drawn, element, percent } from "./dom";
import { type AtRisk, type Evaluation, type Point, read } from "./evaluation";
import { tableOf } from "./table";

const WIDTH = 320;
const HEIGHT = 190;
/** Room for what is written beside the axes. */
const MARGIN = { left: 46, right: 24, top: 10, bottom: 36 };

/** Shows what a task delivered on its test rows, or nothing where its evaluation has no curve; `chosen` is the risk that counts. */
export function showCurve(evaluation: unknown, chosen: number | null): void {
  const box = byId("curve");
  const found = read(evaluation);
  box.hidden = found === undefined;
  if (!found) {
    box.replaceChildren();
    return;
  }
  const title = element("h3", "What it delivered in its tests");
  const key = element("p");
  key.className = "hint key";
  for (const [kind, words] of [
    ["threshold", "a threshold as it falls"],
    ["ideal", "an ideal order: all right answers first"],
    ["certified", "certified"],
    ["oracle", "oracle: the best threshold in hindsight"],
  ] as const) {
    const part = element("span");
    part.append(sample(kind), ` ${words}`);
    key.append(part, " ");
  }
  box.replaceChildren(
    title,
    element("p", `Measured on ${found.rows} test rows. What no label fits is wrong where it is answered.`),
    chart(found, chosen),
    key,
    table(found.risks, chosen),
  );
}

type Kind = "threshold" | "ideal" | "certified" | "oracle";

function sample(kind: Kind): SVGElement {
  const box = drawn("svg", { viewBox: "0 0 16 10", class: "sample", "aria-hidden": "true" });
  box.append(
    kind === "threshold" || kind === "ideal"
      ? drawn("line", { x1: 0, y1: 5, x2: 16, y2: 5, class: kind })
      : drawn("circle", { cx: 8, cy: 5, r: kind === "certified" ? 3 : 4, class: kind }),
  );
  return box;
}

function chart({ curve, ideal, risks }: Evaluation, chosen: number | null): SVGElement {
  const certified = risks.flatMap((at) => at.certified ?? []);
  const oracles = risks.flatMap((at) => at.oracle ?? []);
  const most = Math.max(0.02, ...[...curve, ...certified].map((point) => point.risk)) * 1.1;
  const x = (coverage: number): number => MARGIN.left + coverage * (WIDTH - MARGIN.left - MARGIN.right);
  const bottom = HEIGHT - MARGIN.bottom;
  const y = (risk: number): number => bottom - (risk / most) * (bottom - MARGIN.top);
  const line = (points: Point[], kind: Kind): SVGElement =>
    drawn("polyline", {
      points: points.map((point) => `${x(point.coverage).toFixed(1)},${y(point.risk).toFixed(1)}`).join(" "),
      class: kind,
    });
  const mark = (point: Point, kind: Kind): SVGElement =>
    drawn("circle", { cx: x(point.coverage), cy: y(point.risk), r: kind === "certified" ? 4 : 6, class: kind });

  const box = drawn("svg", {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-labelledby": "curve-title curve-desc",
  });
  box.append(
    drawn("title", { id: "curve-title" }, "The share of wrong answers by the share of answers given on this device"),
    drawn("desc", { id: "curve-desc" }, described(curve, risks)),
    drawn("path", { d: `M${x(0)} ${MARGIN.top}V${bottom}H${x(1)}`, class: "axis" }),
    ...[0, 0.5, 1].map((share) => drawn("text", { x: x(share), y: bottom + 14, class: "middle" }, whole(share))),
    ...[0, most / 2, most].map((risk) => drawn("text", { x: x(0) - 5, y: y(risk) + 4, class: "end" }, tick(risk))),
    drawn("text", { x: x(0.5), y: HEIGHT - 6, class: "middle" }, "answered on this device"),
    drawn("text", { x: x(0) + 6, y: MARGIN.top + 4 }, "wrong among these"),
    ...risks.flatMap(({ risk, certified: at }) =>
      at && risk === chosen ? drawn("path", { d: `M${x(at.coverage)} ${MARGIN.top}V${bottom}`, class: "chosen" }) : [],
    ),
    line(ideal, "ideal"),
    line(curve, "threshold"),
    ...oracles.map((point) => mark(point, "oracle")),
    ...certified.map((point) => mark(point, "certified")),
  );
  return box;
}

/** What the drawing shows, for whoever does not see it; the table has the figures. */
function described(curve: Point[], risks: AtRisk[]): string {
  const last = curve.at(-1);
  const end = last
    ? `With ${percent(last.coverage)} answered here, ${percent(last.risk)} of the answers are wrong. `
    : "";
  const certified = risks.flatMap(({ risk, certified: at }) =>
    at ? `At a risk of ${percent(risk)}, ${percent(at.coverage)} are answered here.` : [],
  );
  return end + certified.join(" ");
}

function table(risks: AtRisk[], chosen: number | null): HTMLElement {
  const rows = risks.map(({ risk, certified, oracle }) => {
    const ratio = certified && oracle && oracle.coverage > 0 ? whole(certified.coverage / oracle.coverage) : "–";
    const cells = [
      percent(risk),
      certified ? percent(certified.coverage) : "not certified",
      certified ? percent(certified.risk) : "–",
      oracle ? percent(oracle.coverage) : "–",
      ratio,
    ];
    return { cells, chosen: risk === chosen };
  });
  const columns = ["Risk", "Answered here", "Wrong among these", "Oracle’s coverage", "Share of the oracle’s"];
  return tableOf("What each risk delivered", columns, rows, true);
}

const whole = (share: number): string => `${(share * 100).toFixed(0)} %`;

/** Small risks need a decimal. */
const tick = (risk: number): string => (risk === 0 || risk >= 0.1 ? whole(risk) : percent(risk));
