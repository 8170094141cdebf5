// Who asks, and how often and how much they may.

/**
 * The part of an address that stands for one household or host: an IPv4 address whole, of an IPv6 address the first 64
 * bits, within which whoever has one address has all. IPv4 in IPv6 is IPv4. What is no address stands for itself.
 */
export function neighbourhood(address: string): string {
  let text = address.trim().toLowerCase();
  // `[2001:db8::1]:443`, `192.0.2.1:443`, `fe80::1%eth0`: as proxies write them.
  text = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(text)?.[1] ?? text;
  text = text.replace(/%.*$/, "");
  const four = ipv4(text);
  if (four) return four.join(".");
  const groups = ipv6(text);
  if (!groups) return text.slice(0, 64);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return [groups[6]! >> 8, groups[6]! & 0xff, groups[7]! >> 8, groups[7]! & 0xff].join(".");
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(":")}::/64`;
}

function ipv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) return undefined;
  return parts.map(Number);
}

/** The eight groups of an IPv6 address. */
function ipv6(text: string): number[] | undefined {
  const halves = text.split("::");
  if (!text.includes(":") || halves.length > 2) return undefined;
  const [before = [], after = []] = halves.map(groupsOf);
  const missing = 8 - before.length - after.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...before, ...Array<number>(missing).fill(0), ...after];
  return all.every((group) => group >= 0 && group <= 0xffff) ? all : undefined;
}

/** The groups of one side; -1 for what is none. */
function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    const four = ipv4(group);
    if (four) return [(four[0]! << 8) | four[1]!, (four[2]! << 8) | four[3]!];
    return /^[0-9a-f]{1,4}$/.test(group) ? [parseInt(group, 16)] : [-1];
  });
}

/**
 * The address that asks. Each proxy adds to the right of `X-Forwarded-For` the address it was asked from, so with `hops`
 * proxies that are trusted, the entry that the farthest of them wrote is the `hops`th from the right; what stands left of
 * it, anybody may have written. A request that did not come through all of them counts by the connection's own address.
 */
export function askedFrom(forwarded: string | null, hops: number, connection: string | undefined): string | undefined {
  if (hops === 0 || forwarded === null) return connection;
  const entries = forwarded.split(",");
  return entries[entries.length - hops]?.trim() || connection;
}

/** How often each may ask: a bucket of tokens for each, which fills within a minute. */
export class Buckets {
  /** In the order in which they were last used: the first is the one that may be forgotten. */
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  constructor(
    readonly perMinute: number,
    readonly most: number,
    private readonly now: () => number,
  ) {}

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token, or says in how many milliseconds there is one. */
  take(who: string): number {
    const now = this.now();
    const bucket = this.#buckets.get(who) ?? { tokens: this.perMinute, at: now };
    const since = Math.max(0, now - bucket.at);
    const tokens = Math.min(this.perMinute, bucket.tokens + (since / 60_000) * this.perMinute);
    const wait = tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / this.perMinute) * 60_000);
    this.#buckets.delete(who);
    this.#buckets.set(who, { tokens: wait === 0 ? tokens - 1 : tokens, at: now });
    if (this.#buckets.size > this.most) {
      const [oldest] = this.#buckets.keys();
      this.#buckets.delete(oldest!);
    }
    return wait;
  }
}

/** Why a body was not read to its end. */
export type Unread = "large" | "late" | "broken";

/** Reads a stream to its end, up to so many bytes and so many milliseconds. */
export async function readAll(
  stream: ReadableStream<Uint8Array> | null,
  most: number,
  ms: number,
): Promise<Uint8Array | Unread> {
  if (stream === null) return new Uint8Array();
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  let late = false;
  // Ends a read that is waited for. Nobody waits for this itself: a stream may take its time to be cancelled.
  const cancel = (): void => void reader.cancel().catch(() => {});
  const timer = setTimeout(() => {
    late = true;
    cancel();
  }, ms);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (late) return "late";
      if (done) break;
      size += value.byteLength;
      if (size > most) {
        cancel();
        return "large";
      }
      parts.push(value);
    }
  } catch {
    return "broken";
  } finally {
    clearTimeout(timer);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}
