// Which fields a request may have. A shape takes the value that was parsed, and gives a new one built from what it knows;
// what it does not know is refused by name, since a field that is dropped in silence changes the answer in silence.

import { Refusal, quoted } from "./refusal.js";

/** The field that sets the limit where a chat completion has none. */
export type TokensField = "max_completion_tokens" | "max_tokens";

/** What is allowed besides the shapes, and up to which numbers. */
export interface Bounds {
  /** Dotted names of fields that pass as they are. */
  readonly widened: ReadonlySet<string>;
  readonly maxTokens: number;
  readonly maxChoices: number;
  readonly tokensField: TokensField;
}

/** A place in a body. */
export class Place {
  private constructor(
    readonly bounds: Bounds,
    /** For people: `messages[0].content`. */
    readonly shown: string,
    /** For the option `fields`: `messages.content`. */
    readonly name: string,
  ) {}

  static root(bounds: Bounds): Place {
    return new Place(bounds, "", "");
  }

  field(name: string): Place {
    return new Place(
      this.bounds,
      this.shown === "" ? name : `${this.shown}.${name}`,
      this.name === "" ? name : `${this.name}.${name}`,
    );
  }

  item(index: number): Place {
    return new Place(this.bounds, `${this.shown}[${index}]`, this.name);
  }

  refuse(code: string, why: string): never {
    const what = this.shown === "" ? "the body" : shorten(this.shown);
    throw new Refusal(400, code, `${what} ${why}`, { param: this.shown === "" ? null : shorten(this.shown) });
  }

  /** Refuses what an option would let through. */
  notAllowed(what: string): never {
    this.refuse(
      "field_not_allowed",
      `${what}; leave it out, or let whoever runs the proxy add ${quoted(shorten(this.name))} to its option \`fields\``,
    );
  }
}

function shorten(text: string): string {
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}

/** Takes a parsed value, and gives what is sent for it. */
export type Shape = (value: unknown, place: Place) => unknown;

export const text: Shape = (value, place) =>
  typeof value === "string" ? value : place.refuse("invalid_value", "must be a string");

export const flag: Shape = (value, place) =>
  typeof value === "boolean" ? value : place.refuse("invalid_value", "must be true or false");

/** A finite number between two. */
export function number(least: number, most: number): Shape {
  return (value, place) => {
    if (typeof value === "number" && value >= least && value <= most) return value;
    return place.refuse("invalid_value", `must be a number from ${least} to ${most}`);
  };
}

/** A whole number between two. */
export function whole(least: number, most: number): Shape {
  return (value, place) => {
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value;
    return place.refuse("invalid_value", `must be a whole number from ${least} to ${most}`);
  };
}

/** A whole number from 1 to one of the bounds. */
function upTo(bound: "maxTokens" | "maxChoices", code: string, what: string): Shape {
  return (value, place) => {
    const most = place.bounds[bound];
    if (Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most) return value;
    return place.refuse(code, `must be a whole number from 1 to ${most}, the most ${what} that may be asked for here`);
  };
}

/** How many tokens may be written. */
export const tokens = upTo("maxTokens", "too_many_tokens", "tokens");

/** How many replies may be written. */
export const choices = upTo("maxChoices", "too_many_choices", "replies");

/** One of these values. */
export function oneOf(...allowed: readonly (string | boolean)[]): Shape {
  const list = allowed.map((value) => JSON.stringify(value)).join(", ");
  return (value, place) => {
    if (allowed.includes(value as string)) return value;
    return place.notAllowed(`is ${quoted(value)}; through this proxy it may be ${list}`);
  };
}

/** Any JSON. It was parsed with a bound on its depth. */
export const json: Shape = (value, place) => {
  if (typeof value === "number" && !Number.isFinite(value))
    place.refuse("invalid_value", "must be a number that JSON can hold");
  if (Array.isArray(value)) value.forEach((item, at) => json(item, place.item(at)));
  else if (typeof value === "object" && value !== null) {
    for (const [name, item] of Object.entries(value)) json(item, place.field(name));
  }
  return value;
};

/** A JSON object, such as a schema or a tool's input. */
export const object: Shape = (value, place) =>
  isObject(value) ? json(value, place) : place.refuse("invalid_value", "must be an object");

export function list(of: Shape): Shape {
  return (value, place) => {
    if (!Array.isArray(value)) return place.refuse("invalid_value", "must be a list");
    return value.map((item, at) => of(item, place.item(at)));
  };
}

/** A string, or what else there is. */
export function textOr(other: Shape): Shape {
  return (value, place) => (typeof value === "string" ? value : other(value, place));
}

/** An object with these fields and no others. `null` says of each that it is not given. */
export function record(
  fields: Readonly<Record<string, Shape>>,
  spelling: (name: string) => string = (name) => name,
): Shape {
  const known = new Map(Object.entries(fields));
  return (value, place) => {
    if (!isObject(value)) return place.refuse("invalid_value", "must be an object");
    // Without a prototype, a field named __proto__ is one like any other.
    const built = Object.create(null) as Record<string, unknown>;
    for (const [written, item] of Object.entries(value)) {
      const name = spelling(written);
      const at = place.field(name);
      const shape = known.get(name);
      if (name in built) at.refuse("invalid_value", "is given twice, in two spellings");
      if (place.bounds.widened.has(at.name)) built[name] = json(item, at);
      else if (shape === undefined) at.notAllowed("is not among the fields that may be sent through this proxy");
      else if (item !== null) built[name] = shape(item, at);
    }
    return built;
  };
}

/** An object whose field says which of these it is. Without the field it is the first. */
export function byField(field: string, kinds: Readonly<Record<string, Shape>>): Shape {
  const known = new Map(Object.entries(kinds));
  const [first] = known.keys();
  return (value, place) => {
    if (!isObject(value)) return place.refuse("invalid_value", "must be an object");
    const kind = value[field] ?? first;
    const shape = typeof kind === "string" ? known.get(kind) : undefined;
    if (shape === undefined) {
      const list = [...known.keys()].map((name) => JSON.stringify(name)).join(", ");
      return place.notAllowed(`has the ${field} ${quoted(kind)}; through this proxy it may be ${list}`);
    }
    return shape(value, place);
  };
}

/** Google's APIs read `max_output_tokens` as `maxOutputTokens`. */
export function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The most levels of lists and objects in a body. JSON schemas are the deepest things in it. */
const MAX_DEPTH = 64;

/** Parses a body. What stands twice counts once: the parser's last. Its depth is looked at first, since parsers may recurse. */
export function parse(body: string): unknown {
  let depth = 0;
  let inside = false;
  for (let at = 0; at < body.length; at++) {
    const unit = body.charCodeAt(at);
    if (inside) {
      if (unit === 0x5c) at++;
      else if (unit === 0x22) inside = false;
    } else if (unit === 0x22) inside = true;
    else if (unit === 0x7b || unit === 0x5b) {
      if (++depth > MAX_DEPTH)
        throw new Refusal(400, "too_deep", `the body nests lists and objects more than ${MAX_DEPTH} levels deep`);
    } else if (unit === 0x7d || unit === 0x5d) depth--;
  }
  try {
    return JSON.parse(body);
  } catch {
    throw new Refusal(
      400,
      "invalid_json",
      body.trim() === "" ? "the body is empty; send the request as JSON" : "the body is not JSON",
    );
  }
}
