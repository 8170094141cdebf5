// Which pipelines are run on which folders, with which options, on what.

import { join } from "node:path";
import { behaviour, files, injections, masked, personal } from "./inputs.mjs";

const words = () => [...behaviour("language"), ...behaviour("sentiment", 40)];

/** What a folder is run with, by the folder's name: [a name of the variant, options, inputs]. */
export const RUNS = {
  rampart: () => [
    ["none", { aggregation_strategy: "none" }, personal()],
    ["simple", { aggregation_strategy: "simple" }, personal()],
  ],
  minilm: () => [
    ["mean", { pooling: "mean" }, words()],
    ["normalized", { pooling: "mean", normalize: true }, words().slice(0, 100)],
    ["cls", { pooling: "cls" }, words().slice(0, 100)],
    ["none", { pooling: "none" }, words().slice(0, 3)],
    ["binary", { pooling: "mean", normalize: true, quantize: true, precision: "binary" }, words().slice(0, 100)],
  ],
  sentiment: () => [["all", { top_k: null }, [...behaviour("sentiment"), ...behaviour("spam", 40)]]],
  nanoguard: (inputs) => [["all", { top_k: null }, [...injections(inputs), ...behaviour("spam", 40)]]],
  "tox-block": () => [["all", { top_k: null }, [...behaviour("sentiment", 120), ...HARSH]]],
  "rxnmapper-albert-mlm": () => [["five", { top_k: 5 }, masked()]],
  "efficientnet-lite0": (inputs) => [["five", { top_k: 5 }, files(inputs, "pictures")]],
  "efficientnet-lite0-features": (inputs) => [["pooled", { pool: true }, files(inputs, "pictures")]],
  orientation: (inputs) => [["all", { top_k: 4 }, files(inputs, "pictures")]],
  "nanodet-coco": (inputs) => [["found", { threshold: 0.3 }, files(inputs, "pictures")]],
  "musicnn-msd": (inputs) => [["ten", { top_k: 10 }, files(inputs, "sounds")]],
};

// Mild words, so that each of the labels has something to say.
const HARSH = [
  "You are a stupid idiot",
  "Shut up, you fool!",
  "I will find you and hurt you",
  "What the hell is this crap?",
  "Go away, nobody likes you.",
  "Thanks, that was a helpful edit.",
];

/** The name of a run in expected.json. */
export const key = (task, folder, variant) => `${task}/${folder}/${variant}`;

/** Where an input of a kind with files is. */
export const path = (inputs, task, input) => {
  if (input.startsWith("squares/")) return join(inputs, input);
  return join(inputs, task.startsWith("audio") ? "sounds" : "pictures", input);
};

/** A number of which six digits are kept. */
export const six = (number) => Number(number.toPrecision(6));
