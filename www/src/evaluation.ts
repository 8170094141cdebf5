/** A point of a curve: the share of the rows that is answered on the device, and the share of these that is wrong. */
export interface Point {
  coverage: number;
  risk: number;
}

/** What a risk came to on the test rows. */
export interface AtRisk {
  risk: number;
  /** At the certified threshold; `null` where the risk is not certified. */
  certified: Point | null;
  /** At the best threshold in hindsight; `null` where none keeps the risk. */
  oracle: Point | null;
}

/** What the page shows of an evaluation. */
export interface Evaluation {
  /** The test rows, those out of scope among them. */
  rows: number;
  curve: Point[];
  /** The curve of an ideal order of the rows. */
  ideal: Point[];
  risks: AtRisk[];
}

/**
 * Reads what `smallfirst evaluate` wrote. Nothing where it has no ideal order: an older one drew its curve of other rows
 * than it measured the risks on.
 */
export function read(evaluation: unknown): Evaluation | undefined {
  if (!isRecord(evaluation)) return undefined;
  const { n, outOfScope, riskCoverage, idealOrder, policies } = evaluation;
  const [curve, ideal] = [points(riskCoverage), points(idealOrder)];
  if (curve.length === 0 || ideal.length === 0 || typeof n !== "number" || typeof outOfScope !== "number")
    return undefined;
  const risks = (Array.isArray(policies) ? policies : []).filter(isRecord).flatMap((policy): AtRisk[] => {
    if (!isShare(policy["risk"])) return [];
    const certified = Array.isArray(policy["thresholds"]) ? delivered(policy) : null;
    return [{ risk: policy["risk"], certified, oracle: delivered(policy["oracle"]) }];
  });
  return { rows: n + outOfScope, curve, ideal, risks };
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

export const isShare = (value: unknown): value is number => typeof value === "number" && value >= 0 && value <= 1;

function points(value: unknown): Point[] {
  const all: unknown[] = Array.isArray(value) ? value : [];
  return all.filter(
    (point): point is Record<string, unknown> & Point =>
      isRecord(point) && isShare(point["coverage"]) && isShare(point["risk"]),
  );
}

/** Coverage and error of a risk's thresholds, or of the oracle's. */
function delivered(value: unknown): Point | null {
  if (!isRecord(value)) return null;
  const [coverage, error] = [value["coverage"], value["error"]].map((share) =>
    isRecord(share) ? share["value"] : undefined,
  );
  return isShare(coverage) && isShare(error) ? { coverage, risk: error } : null;
}
