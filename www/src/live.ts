// A microphone, live: the wave of what it hears, and where somebody speaks.

import type { SmallFirst, TaskInfo } from "smallfirst";
import { byId, drawn } from "./dom";

/** What the picture shows, and how finely. */
const SECONDS = 8;
const PER_SECOND = 20;
const HEIGHT = 40;

/** Loudness from the beginning on, a number a part of a second, and the stretches of speech; the last may have no end yet. */
interface Heard {
  peaks: number[];
  speech: { start: number; end: number | undefined }[];
}

function draw({ peaks, speech }: Heard): void {
  const now = peaks.length / PER_SECOND;
  const from = Math.max(0, now - SECONDS);
  const x = (time: number): number => (100 * (time - from)) / SECONDS;
  const bars = peaks
    .slice(Math.round(from * PER_SECOND))
    .map((peak, at) => {
      const half = Math.max(0.3, (peak * HEIGHT) / 2);
      return `M${(100 * at) / (SECONDS * PER_SECOND)} ${HEIGHT / 2 - half}v${2 * half}`;
    })
    .join("");
  byId("live").replaceChildren(
    ...speech
      .filter(({ end = now }) => end > from)
      .map(({ start, end = now }) => {
        const left = Math.max(0, x(start));
        return drawn("rect", { x: left, width: Math.max(0, x(end) - left), height: HEIGHT });
      }),
    drawn("path", { d: bars }),
  );
}

/** Listens until `signal` ends it, or fails where there is no microphone or the visitor does not allow it. */
export async function listenLive(ai: SmallFirst, task: TaskInfo, signal: AbortSignal): Promise<void> {
  const said = byId("live-said");
  said.textContent = "Waiting for the microphone…";
  const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
  const context = new AudioContext();
  const heard: Heard = { peaks: [], speech: [] };
  let timer: ReturnType<typeof setInterval> | undefined;
  try {
    signal.throwIfAborted();
    const analyser = context.createAnalyser();
    context.createMediaStreamSource(microphone).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const began = performance.now();
    byId("live").toggleAttribute("hidden", false);
    timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const peak = samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
      // A page in the background is called less often: the picture keeps its time.
      const due = Math.floor(((performance.now() - began) / 1000) * PER_SECOND);
      while (heard.peaks.length < due) heard.peaks.push(Math.min(1, peak));
      draw(heard);
    }, 1000 / PER_SECOND);
    said.textContent = "Listening. What is heard stays on this device.";
    for await (const event of ai.stream(task.id, microphone, { signal })) {
      if (event.kind === "speech-start") heard.speech.push({ start: event.time, end: undefined });
      const last = heard.speech.at(-1);
      if (event.kind === "speech-end" && last) last.end = event.time;
      if (event.kind === "segment") continue;
      said.textContent = event.kind === "speech-start" ? "Somebody speaks." : "Silence.";
      byId("live").dataset["speaks"] = String(event.kind === "speech-start");
    }
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  } finally {
    clearInterval(timer);
    for (const track of microphone.getTracks()) track.stop();
    await context.close();
    const stretches = heard.speech.length;
    said.textContent = stretches === 1 ? "Heard one stretch of speech." : `Heard ${stretches} stretches of speech.`;
  }
}
