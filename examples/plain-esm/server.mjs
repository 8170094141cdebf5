import { serveFile, start } from "../serve.mjs";

start(serveFile);
