// What the proxy says when it does not forward: errors in the shape of OpenAI's API, which its clients know how to show.

/** The error of a reply, as `{ "error": … }`. */
export interface ErrorBody {
  error: {
    /** What was wrong, where, and what to do. */
    message: string;
    type: string;
    /** The field, option or header that it is about. */
    param: string | null;
    /** Stable, for programs. */
    code: string | null;
  };
}

/** The type that goes with a status. */
function typeOf(status: number): string {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
    case 421:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 408:
    case 504:
      return "timeout_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

/** What every reply has: it is nobody's to keep, to guess the type of, or to change. */
export const ALWAYS: Readonly<Record<string, string>> = {
  "cache-control": "no-store, no-transform",
  "x-content-type-options": "nosniff",
};

/** Why a request is not forwarded, or its reply not given back. */
export class Refusal extends Error {
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly status: number,
    readonly code: string | null,
    message: string,
    more: { param?: string | null; headers?: Readonly<Record<string, string>>; type?: string } = {},
  ) {
    super(message);
    this.name = "Refusal";
    this.param = more.param ?? null;
    this.headers = more.headers ?? {};
    this.type = more.type ?? typeOf(status);
  }

  readonly type: string;

  /** The reply's body. */
  body(): ErrorBody {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } };
  }

  /** The reply, with these headers as well. */
  response(headers: Readonly<Record<string, string>> = {}): Response {
    return new Response(JSON.stringify(this.body()), {
      status: this.status,
      headers: { "content-type": "application/json", ...ALWAYS, ...headers, ...this.headers },
    });
  }
}

/** Some text of a stranger's, short and in quotes. */
export function quoted(text: unknown, most = 80): string {
  const said = JSON.stringify(text) ?? String(text);
  return said.length > most ? `${said.slice(0, most)}…` : said;
}
