import type { ConsentRequest, Options, RemoteProfile } from "smallfirst";
import { byId, element, shown } from "./dom";

/** What the server of the demo offers as a fallback. */
interface Offer {
  remote: { baseUrl: string; model: string } | null;
}

/** What servers speak, by their providers' names in the package, and an address and a model as their pages have them. */
const PROVIDERS = {
  openai: { name: "OpenAI (and most others)", url: "https://api.openai.com/v1", model: "gpt-5-mini" },
  "openai-responses": { name: "OpenAI Responses", url: "https://api.openai.com/v1", model: "gpt-5-mini" },
  anthropic: { name: "Anthropic", url: "https://api.anthropic.com/v1", model: "claude-haiku-4-5" },
  gemini: { name: "Gemini", url: "https://generativelanguage.googleapis.com/v1beta", model: "gemini-2.5-flash" },
  ollama: { name: "Ollama", url: "http://localhost:11434", model: "llama3.2" },
} as const;
type Provider = keyof typeof PROVIDERS;

/** The form that says where to turn when the local models are not sure. */
export class Fallback {
  readonly #provider = byId<HTMLSelectElement>("provider");
  readonly #url = byId<HTMLInputElement>("base-url");
  readonly #model = byId<HTMLInputElement>("model");
  readonly #token = byId<HTMLInputElement>("token");
  readonly #redact = byId<HTMLInputElement>("redact");
  readonly #consent = byId<HTMLInputElement>("consent");
  readonly #status = byId("fallback-status");
  /** What is used now, which is not what is being typed. */
  #used: { provider: Provider; url: string; model: string; token: string } = {
    provider: "openai",
    url: "",
    model: "",
    token: "",
  };
  #on = false;
  /** How good a model is that was measured; only its own endpoint has it. */
  #profile: RemoteProfile | undefined;

  constructor(private readonly changed: () => Promise<void>) {
    byId("fallback").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#use(true);
    });
    byId("off").addEventListener("click", () => void this.#use(false));
    this.#provider.replaceChildren(
      ...Object.entries(PROVIDERS).map(([id, { name }]) => {
        const option = element("option", name);
        option.value = id;
        return option;
      }),
    );
    this.#provider.addEventListener("change", () => this.#hint());
    this.#hint();
    this.#url.addEventListener("input", () => this.#forgetToken());
    this.#redact.addEventListener("change", () => {
      if (this.#on) void this.changed();
    });
    byId("test").addEventListener("click", () => void this.#test());
  }

  /** Fills the form with what the demo's server offers. */
  async prefill(): Promise<void> {
    const offer = await fetch("./demo.json")
      .then((response) => response.json() as Promise<Offer>)
      .catch((): Offer => ({ remote: null }));
    this.#profile = await fetch("./remote-profile.json")
      .then((response) => response.json() as Promise<RemoteProfile>)
      .catch(() => undefined);
    if (offer.remote) {
      this.#url.value = offer.remote.baseUrl;
      this.#model.value = offer.remote.model;
      this.#take();
      this.#on = true;
    }
    this.#tell();
  }

  /** The package's options for it; none when it is off. */
  options(): Pick<Options, "remote" | "privacy"> {
    if (!this.#on) return {};
    const { provider, url, model, token } = this.#used;
    return {
      remote: {
        provider,
        baseUrl: url,
        model,
        connectMs: 60_000,
        firstByteMs: 60_000,
        timeoutMs: 60_000,
        maxTokens: 200,
        profile: this.#profile?.model === model ? this.#profile : undefined,
        headers: () => authorization(token),
      },
      privacy: {
        redact: this.#redact.checked,
        beforeRemote: (outgoing) => (this.#consent.checked || outgoing.ask ? asked(outgoing) : true),
      },
    };
  }

  /** What code of the same needs to say; nothing when it is off. */
  get used(): { provider: string; baseUrl: string; model: string } | undefined {
    const { provider, url, model } = this.#used;
    return this.#on ? { provider, baseUrl: url, model } : undefined;
  }

  /** What an address and a model of the provider look like. */
  #hint(): void {
    const { url, model } = PROVIDERS[this.#chosen()];
    this.#url.placeholder = url;
    this.#model.placeholder = model;
  }

  #chosen(): Provider {
    return this.#provider.value as Provider;
  }

  #take(): void {
    this.#used = { provider: this.#chosen(), url: this.#url.value, model: this.#model.value, token: this.#token.value };
  }

  /** A token is for the address beside which it was typed, and for no other. */
  #forgetToken(): void {
    if (this.#token.value === "") return;
    this.#token.value = "";
    this.#status.textContent = "The token was cleared: it was for another address.";
  }

  async #use(on: boolean): Promise<void> {
    if (on && (this.#url.value.trim() === "" || this.#model.value.trim() === "")) {
      this.#status.textContent = "Give an address and a model.";
      return;
    }
    if (on) this.#take();
    this.#on = on;
    await this.changed();
    this.#tell();
  }

  #tell(): void {
    this.#status.textContent = this.#on
      ? `On: ${this.#used.model} at ${this.#used.url}`
      : "Off: nothing leaves this device.";
  }

  async #test(): Promise<void> {
    this.#status.textContent = "Asking…";
    try {
      // The list of models: it costs nothing, and every provider has one.
      const list = this.#chosen() === "ollama" ? "api/tags" : "models";
      const address = new URL(`${this.#url.value.replace(/\/$/, "")}/${list}`, document.baseURI);
      const response = await fetch(address, {
        headers: authorization(this.#token.value),
        signal: AbortSignal.timeout(10_000),
      });
      this.#status.textContent = response.ok
        ? `It answers at ${address.href}`
        : `It answers with status ${response.status}`;
    } catch {
      this.#status.textContent = "It cannot be reached from this page.";
    }
  }
}

function authorization(token: string): Record<string, string> {
  return token === "" ? {} : { authorization: `Bearer ${token}` };
}

/** Ends the question that is open. */
let refuse = (): void => {};

/** Shows what is about to leave, and waits for what the visitor says. Closing it keeps it here. */
function asked({ endpoints, system, messages }: ConsentRequest): Promise<boolean> {
  refuse();
  const box = byId<HTMLDialogElement>("consent-box");
  shown("consent-where").textContent = `It would go to ${endpoints.join(", then ")}.`;
  const turns = messages.map(({ role, content }) => `${role === "user" ? "You" : "Model"}: ${content}`);
  shown("consent-text").textContent = [...(system === "" ? [] : [`Rules: ${system.trim()}`]), ...turns].join("\n\n");
  return new Promise((resolve) => {
    const say = (allowed: boolean): void => {
      resolve(allowed);
      refuse = () => {};
      box.close();
    };
    refuse = () => say(false);
    byId("consent-yes").onclick = () => say(true);
    byId("consent-no").onclick = () => say(false);
    // The event comes late: another question may be open by then.
    box.onclose = () => {
      if (!box.open) say(false);
    };
    box.showModal();
  });
}
